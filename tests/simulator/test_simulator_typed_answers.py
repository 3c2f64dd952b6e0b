"""The rules where an answer is wanted as data: by a tool, natively or told in words, or as JSON that fits a schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from simulator_requests import CALCULATOR, FILES, WEATHER, asked, chat, tool, user
from test_simulator_rules import names, prompts, schemas

from agentkit import Agent, Settings
from agentkit import tool as as_tool
from agentkit.messages import User


class Forecast(BaseModel):
    city: str
    days: int


class Report(TypedDict, total=False):
    city: str
    days: int


class Sky(BaseModel):
    city: str
    temperature: float
    sky: Literal["clear", "rain", "snow"]


class Wind(BaseModel):
    speed: float


class Outlook(BaseModel):
    city: str
    wind: Wind
    warning: str | None


class Weather(BaseModel):
    city: str
    temperature: int
    humidity: int
    raining: bool
    summary: str


class Comparison(BaseModel):
    forecasts: list[Forecast]
    conclusion: str


class Cities(BaseModel):
    cities: list[str]


class Product(BaseModel):
    result: float


class Item(BaseModel):
    sku: str
    quantity: int


class Order(BaseModel):
    order_id: str
    status: Literal["open", "shipped", "delivered"]
    total: float
    items: list[Item]


@dataclass
class Person:
    name: str
    age: int
    email: str | None = None


class Contact(BaseModel):
    name: str
    email: str
    phone: str | None


class Trip(TypedDict, total=False):
    origin: str
    destination: str
    date: str


class Booking(BaseModel):
    restaurant: str
    people: int = Field(ge=1)
    time: str


class Listing(BaseModel):
    files: list[str]
    count: int


class Words(BaseModel):
    text: str


@as_tool
def weather(city: str, days: int = 1) -> str:
    """Forecast for a city."""
    return f"{city}: sunny for {days} day(s)"


@as_tool
def current_weather(city: str) -> dict[str, Any]:
    """Current weather of a city."""
    degrees, sky = {"Paris": (21.5, "clear")}.get(city, (4, "rain"))
    return {"city": city, "temperature_c": degrees, "sky": sky, "wind": {"speed": 12, "unit": "km/h"}}


@as_tool
def weather_report(city: str) -> str:
    """Weather report of a city."""
    return f"{city}: rain, 14 °C, wind 22 km/h, humidity: 80 %"


@as_tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@as_tool
def find_order(order_id: str) -> dict[str, Any]:
    """Find an order by its id."""
    items = [{"sku": "A1", "quantity": 2}, {"sku": "B7", "quantity": 1}]
    return {"order_id": order_id, "status": "delivered", "total": 39.9, "items": items}


@as_tool
def list_files(folder: str = ".") -> list[str]:
    """List the files of a folder."""
    return ["a.txt", "bb.md"]


PARIS_AND_OSLO = "How is the weather in Paris and Oslo for 2 days?"
BOTH = [Forecast(city="Paris", days=2), Forecast(city="Oslo", days=2)]
TABLE: list[tuple[list[Any], str, Any, Any]] = [
    # What the question says, and the call that it led to.
    ([weather], "How is the weather in Paris for 3 days?", Forecast, Forecast(city="Paris", days=3)),
    ([], "How is the weather in Paris for 3 days?", Forecast, Forecast(city="Paris", days=3)),
    ([weather], "How is the weather in Paris for 3 days?", Report, {"city": "Paris", "days": 3}),
    ([weather], "What is the weather in Rome?", Report, {"city": "Rome", "days": 1}),
    ([], "Ada Lovelace is 36 years old.", Person, Person("Ada Lovelace", 36)),
    (
        [],
        "Ada Lovelace is 36 years old, write to ada@example.com",
        Person,
        Person("Ada Lovelace", 36, "ada@example.com"),
    ),
    (
        [],
        "Write to Ada Lovelace at ada@example.com",
        Contact,
        Contact(name="Ada Lovelace", email="ada@example.com", phone=None),
    ),
    (
        [],
        "A flight from Berlin to Lisbon on 2026-12-24",
        Trip,
        {"origin": "Berlin", "destination": "Lisbon", "date": "2026-12-24"},
    ),
    (
        [],
        "Book a table at Luigi for 4 people at 19:30",
        Booking,
        Booking(restaurant="Luigi", people=4, time="19:30"),
    ),
    ([], "Turn the light off", Literal["on", "off"], "off"),
    # What the tools said: JSON by its keys, text by names, units and words.
    ([current_weather], "What is the weather in Paris?", Sky, Sky(city="Paris", temperature=21.5, sky="clear")),
    (
        [current_weather],
        "What is the weather in Oslo?",
        Outlook,
        Outlook(city="Oslo", wind=Wind(speed=12), warning=None),
    ),
    ([current_weather], "What is the temperature in Paris?", float, 21.5),
    (
        [weather_report],
        "What is the weather in Bergen?",
        Weather,
        Weather(
            city="Bergen",
            temperature=14,
            humidity=80,
            raining=True,
            summary="Bergen: rain, 14 °C, wind 22 km/h, humidity: 80 %.",
        ),
    ),
    (
        [find_order],
        "What is the status of order A-77?",
        Order,
        Order(
            order_id="A-77",
            status="delivered",
            total=39.9,
            items=[Item(sku="A1", quantity=2), Item(sku="B7", quantity=1)],
        ),
    ),
    ([find_order], "What is the status of order A-77?", Literal["open", "shipped", "delivered"], "delivered"),
    ([find_order], "How much was order A-77?", float, 39.9),
    # Sums.
    ([multiply], "What is 17 * 23?", Product, Product(result=391)),
    ([multiply], "What is 17 * 23?", int, 391),
    ([], "What is 17 * 23?", int, 391),
    # Lists: one member for each call, for each name, for each line.
    ([weather], PARIS_AND_OSLO, list[Forecast], BOTH),
    (
        [weather],
        PARIS_AND_OSLO,
        Comparison,
        Comparison(forecasts=BOTH, conclusion="Paris: sunny for 2 day(s). Oslo: sunny for 2 day(s)."),
    ),
    ([weather], PARIS_AND_OSLO, Cities, Cities(cities=["Paris", "Oslo"])),
    (
        [],
        "The weather in Paris for 3 days and in Oslo for 5 days",
        list[Forecast],
        [Forecast(city="Paris", days=3), Forecast(city="Oslo", days=5)],
    ),
    (
        [current_weather],
        "What is the weather in Paris and Oslo?",
        list[Sky],
        [Sky(city="Paris", temperature=21.5, sky="clear"), Sky(city="Oslo", temperature=4, sky="rain")],
    ),
    ([current_weather], "How is the temperature in Paris and Oslo?", dict[str, float], {"Paris": 21.5, "Oslo": 4.0}),
    ([], "Name Paris, Rome and Oslo", list[str], ["Paris", "Rome", "Oslo"]),
    ([list_files], "Which files are there?", Listing, Listing(files=["a.txt", "bb.md"], count=2)),
    ([list_files], "Which files are there?", list[str], ["a.txt", "bb.md"]),
    ([list_files], "How many files are there?", int, 2),
    # What nobody said: the words that would be the answer, and what fits.
    (
        [],
        "Who wrote Faust?",
        Words,
        Words(
            text="I am a simulated model that follows rules, without knowledge of my own, so I cannot answer this: "
            "“Who wrote Faust?”"
        ),
    ),
    ([weather], "Hello!", Forecast, Forecast(city="unknown", days=1)),
]
MODELS = {
    "thinking": ("sim:deepseek-flash", Settings(thinking=True)),
    "not thinking": ("sim:deepseek-flash", Settings(thinking=False)),
    "R1": ("sim:deepseek-r1:deepseek-reasoner", None),
    "Terminus": ("sim:lkeap:deepseek-v3.1-terminus", None),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("tools", "prompt", "kind", "value"),
    TABLE,
    ids=[f"{getattr(row[2], '__name__', row[2])} of {row[1]}" for row in TABLE],
)
def test_the_answer_is_made_of_the_question_and_of_what_the_tools_said(
    model: str, tools: list[Any], prompt: str, kind: Any, value: Any
) -> None:
    name, settings = MODELS[model]
    result = Agent(name, tools=tools, output=kind, settings=settings).run(prompt)
    assert result.output == value
    assert not any(isinstance(message, User) and message.by == "review" for message in result.messages)


FINAL = tool("final_result", "The final response.", ["city", "days"], city="City.", days={"type": "integer"})
THINKING = {"thinking": {"type": "enabled"}}
QUESTION = "How is the weather in Paris for 3 days?"


def called(*messages: dict[str, Any], tools: list[dict[str, Any]], **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls of the reply."""
    message = asked(chat(*messages, tools=tools, **{**THINKING, **fields}))["choices"][0]["message"]
    calls = [call["function"] for call in message.get("tool_calls", ())]
    return [(call["name"], json.loads(call["arguments"])) for call in calls]


@pytest.mark.parametrize(
    "words",
    [
        "When you know the answer, give it by calling the tool `{}`, never in words.",
        "Give the final answer by calling the tool `{}`; if you have no such tool, as one JSON object.",
        "Always use the '{}' tool to respond.",
        "You are a helpful assistant! Call the function {} with your final answer. Be brief.",
        "Be kind.\n\nTo answer, call the {} tool.",
    ],
)
@pytest.mark.parametrize("name", ["final_result", "respond"])
def test_the_tool_that_takes_the_answer_is_known_by_the_words_that_ask_for_it(words: str, name: str) -> None:
    final = {"type": "function", "function": {**FINAL["function"], "name": name}}
    system = {"role": "system", "content": words.format(name)}
    first = called(system, user(QUESTION), tools=[final, WEATHER])
    assert first == [("weather", {"city": "Paris", "days": 3})]
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": json.dumps(first[0][1])}}
    asked_for = {"role": "assistant", "content": "", "reasoning_content": "I look.", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "1", "content": "Paris: sunny for 3 day(s)"}
    end = called(system, user(QUESTION), asked_for, answer, tools=[final, WEATHER])
    assert end == [(name, {"city": "Paris", "days": 3})]


def test_a_complaint_about_the_answer_is_no_question_and_nothing_is_filled_from_it() -> None:
    complaint = (
        "Your answer cannot be taken: it is no call of the tool, and no JSON object of Berlin for 9 days. Give the"
        " final answer by calling the tool `submit`; if you have no such tool, as one JSON object and nothing else."
    )
    submit = {"type": "function", "function": {**FINAL["function"], "name": "submit"}}
    said = {"role": "assistant", "content": "Madrid: sunny.", "reasoning_content": "I say so."}
    end = called(user(QUESTION), said, user(complaint), tools=[submit])
    assert end == [("submit", {"city": "Paris", "days": 3})]
    taken_up = called(user(QUESTION), said, user(f"{complaint} And in Rome for 2 days?"), tools=[submit])
    assert taken_up == [("submit", {"city": "Rome", "days": 2})]


def test_a_follow_up_is_answered_by_the_tool_again() -> None:
    agent = Agent("sim:deepseek-flash", tools=[weather], output=Forecast)
    first = agent.run(QUESTION)
    assert agent.run("And in Berlin?", history=first.messages).output == Forecast(city="Berlin", days=1)


def test_an_answer_that_was_not_taken_is_not_given_again() -> None:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "final_result", "arguments": '{"city": "Paris", "days": 3}'},
    }
    given_ = {"role": "assistant", "content": "", "reasoning_content": "I say so.", "tool_calls": [call]}
    wrong = {"role": "tool", "tool_call_id": "1", "content": "Error: 1. `days`: no forecast reaches so far"}
    assert called(user(QUESTION), given_, wrong, tools=[FINAL]) == []


def test_a_tool_that_only_has_answer_in_its_name_is_an_ordinary_one() -> None:
    search = tool("search_answers", "Search the answers of other people.", query="What to look for.")
    submit = tool("submit_order", "Submit an order.", order_id="Its id.")
    system = {"role": "system", "content": "Use `search_answers` before you answer."}
    assert called(system, user("Submit the order A-7"), tools=[submit, search]) == [
        ("submit_order", {"order_id": "A-7"})
    ]


@pytest.mark.parametrize("role", ["system", "user"])
def test_json_that_must_fit_a_schema_in_the_prompt_does(role: str) -> None:
    schema = FINAL["function"]["parameters"]
    form = f"Answer as JSON. It must follow this JSON Schema:\n{json.dumps(schema)}\n"
    form += 'For example, with values of your own:\n{"city": "Berlin", "days": 9}'
    messages = [{"role": "system", "content": form}, user(QUESTION)]
    if role == "user":
        messages = [user(f"{form}\n\n{QUESTION}")]
    body = chat(*messages, response_format={"type": "json_object"})
    said = asked(body)["choices"][0]["message"]["content"]
    assert json.loads(said) == {"city": "Paris", "days": 3}


@given(
    st.dictionaries(names, schemas, max_size=4), prompts, st.sampled_from([[], [WEATHER], CALCULATOR, FILES]), st.data()
)
def test_an_answer_always_fits_its_schema(
    properties: dict[str, Any], prompt: str, tools: list[dict[str, Any]], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    final = tool("final_answer", "Give the final answer.", wanted, **properties)
    messages: list[dict[str, Any]] = [user(prompt)]
    for _ in range(12):
        message = asked(chat(*messages, tools=[*tools, final], **THINKING))["choices"][0]["message"]
        messages.append(message)
        calls = message["tool_calls"]
        if calls[0]["function"]["name"] == "final_answer":
            jsonschema.validate(json.loads(calls[0]["function"]["arguments"]), final["function"]["parameters"])
            return
        told = data.draw(
            st.sampled_from(["7", '{"city": "Oslo", "days": 2.5}', '["a", {"x": 1}]', "null", "Error: no"])
        )
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": told} for call in calls]
    raise AssertionError("the loop does not end")
