"""Answers of a type: by the output tool, by reminders, and as JSON in words."""

import asyncio
import functools
import itertools
import json
from dataclasses import dataclass
from typing import Literal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from script import Script, calls, says
from typing_extensions import TypedDict

from agentkit import Agent, ConfigurationError, LimitReached, Limits, Settings, ToolError, tool
from agentkit.errors import OutputInvalid
from agentkit.events import CallDelta, TextDelta
from agentkit.messages import ToolCall, ToolMessage, User
from agentkit.models import open_model
from agentkit.models.jsonmode import example
from agentkit.output import Growing, Output
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.tools import bind

ways = pytest.mark.parametrize("asynchronous", [False, True])


class City(BaseModel):
    """A city."""

    name: str
    people: int


@dataclass
class Point:
    x: float
    y: float = 0


def go(agent, asynchronous, prompt="go", **options):
    return asyncio.run(agent.arun(prompt, **options)) if asynchronous else agent.run(prompt, **options)


def final(arguments, id="f"):
    return (id, "final_answer", arguments)


@ways
@pytest.mark.parametrize(
    ("kind", "arguments", "meant"),
    [
        (City, '{"name": "Oslo", "people": 700000}', City(name="Oslo", people=700000)),
        (City, '{"answer": {"name": "Oslo", "people": 1}}', City(name="Oslo", people=1)),
        (Point, '{"x": 1}', Point(1.0)),
        (int, '{"answer": 3}', 3),
        (list[int], '{"answer": [1, 2]}', [1, 2]),
        (Literal["yes", "no"], '{"answer": "no"}', "no"),
        (City | None, '{"answer": null}', None),
    ],
)
def test_the_output_tool_gives_an_answer_of_the_type_and_ends_the_run(asynchronous, kind, arguments, meant):
    result = go(Agent(Script(calls(final(arguments))), output=kind), asynchronous)
    assert result.output == meant
    assert result.messages[-1].final
    assert result.steps == 1


@ways
def test_an_answer_that_does_not_fit_goes_back_to_the_model_with_what_is_wrong(asynchronous):
    model = Script(calls(final('{"name": "Oslo"}')), calls(final('{"name": "Oslo", "people": 2}')))
    result = go(Agent(model, output=City), asynchronous)
    assert result.output == City(name="Oslo", people=2)
    wrong = next(one for one in result.messages if isinstance(one, ToolMessage))
    assert "people" in wrong.text
    assert not wrong.final


@ways
def test_a_model_that_answers_in_words_is_reminded_of_the_tool(asynchronous):
    model = Script(says("It is Oslo."), calls(final('{"name": "Oslo", "people": 2}')))
    result = go(Agent(model, output=City), asynchronous)
    assert result.output.name == "Oslo"
    (reminder,) = [one for one in result.messages if isinstance(one, User) and one.by == "review"]
    assert "final_answer" in reminder.text


@ways
def test_words_that_are_the_json_of_a_fitting_answer_are_taken(asynchronous):
    assert go(Agent(Script(says('{"name": "Oslo", "people": 2}')), output=City), asynchronous).output.people == 2


@ways
def test_a_model_that_never_gives_the_type_ends_in_one_error_with_the_transcript(asynchronous):
    with pytest.raises(OutputInvalid, match="City") as caught:
        go(Agent(Script(*[says("No.")] * 9), output=City), asynchronous)
    assert caught.value.transcript.steps == 3


@ways
def test_tools_beside_the_final_answer_run_and_the_run_ends(asynchronous):
    ran = []

    @tool
    def act() -> str:
        """Act."""
        ran.append(1)
        return "done"

    model = Script(calls(final('{"answer": 3}'), ("a", "act", "{}")), calls(final('{"answer": 4}')))
    assert go(Agent(model, tools=[act], output=int), asynchronous).output == 3
    assert ran == [1]


def test_a_finished_typed_run_goes_on_with_a_new_prompt():
    agent = Agent(Script(calls(final('{"answer": 3}')), calls(final('{"answer": 4}', "g"))), output=int)
    first = agent.run("go")
    assert agent.run("again", history=first).output == 4


def test_the_output_tool_counts_as_a_tool():
    tools = [tool(lambda: 1, name=f"t{n}") for n in range(128)]
    with pytest.raises(ConfigurationError, match=r"129.*128"):
        Agent("sim:deepseek-flash", tools=tools, output=City).run("go")


def test_a_tool_of_the_output_tools_name_is_refused():
    with pytest.raises(ConfigurationError, match="final_answer"):
        Agent(Script(), tools=[tool(lambda: 1, name="final_answer")], output=City).run("go")


def test_a_type_without_a_schema_is_refused_when_the_agent_is_made():
    with pytest.raises(ConfigurationError):
        Agent(Script(), output=threading_lock_type())


def threading_lock_type():
    import threading

    return type(threading.Lock())


def test_limits_hold_while_the_model_is_reminded():
    with pytest.raises(LimitReached):
        Agent(Script(*[says("No.")] * 9), output=City, limits=Limits(steps=2)).run("go")


# A function of the words.


def even(text):
    """Reads an even number."""
    number = int(text)
    if number % 2:
        raise ToolError(f"{number} is odd, an even number is wanted")
    return number


@ways
def test_a_function_makes_the_answer_of_the_words(asynchronous):
    result = go(Agent(Script(says("12")), output=even), asynchronous)
    assert result.output == 12
    assert result.text == "12"


@ways
def test_what_a_function_says_of_the_words_is_told_to_the_model(asynchronous):
    result = go(Agent(Script(says("twelve"), says("13"), says("14")), output=even), asynchronous)
    assert result.output == 14
    told = [one.text for one in result.messages if isinstance(one, User) and one.by == "review"]
    assert "invalid literal" in told[0]
    assert "13 is odd" in told[1]


@ways
def test_words_that_no_function_can_read_end_in_one_error(asynchronous):
    with pytest.raises(OutputInvalid, match=r"even.*13 is odd") as caught:
        go(Agent(Script(*[says("13")] * 9), output=even), asynchronous)
    assert caught.value.transcript.steps == 3


@ways
def test_a_defect_of_the_function_ends_the_run_as_it_is(asynchronous):
    def broken(text):
        return {}[text]

    with pytest.raises(KeyError):
        go(Agent(Script(says("x")), output=broken), asynchronous)


def test_callable_objects_and_partials_are_functions_of_the_words():
    assert Agent(Script(says("ff")), output=functools.partial(int, base=16)).run("go").output == 255


def test_an_async_function_of_the_words_is_refused_when_the_agent_is_made():
    async def later(text):
        return text

    with pytest.raises(ConfigurationError, match="later"):
        Agent(Script(), output=later)


# Checks.


@ways
def test_a_check_that_objects_is_heard_by_the_model(asynchronous):
    agent = Agent(
        Script(calls(final('{"name": "Oslo", "people": 0}')), calls(final('{"name": "Oslo", "people": 7}', "g"))),
        output=City,
    )

    @agent.check
    def inhabited(city):
        if not city.people:
            raise ToolError("somebody must live there")

    result = go(agent, asynchronous)
    assert result.output.people == 7
    (told,) = [one for one in result.messages if isinstance(one, User) and one.by == "review"]
    assert "somebody must live there" in told.text


@ways
def test_checks_may_be_async_and_may_ask_for_the_context_and_see_texts_too(asynchronous):
    agent = Agent(Script(says("short"), says("long enough")))
    seen = []

    @agent.check
    async def long_enough(context, text):
        await asyncio.sleep(0)
        seen.append((context.value, text))
        if len(text) < context.value:
            raise ToolError(f"at least {context.value} characters")

    assert go(agent, asynchronous, context=8).output == "long enough"
    assert seen == [(8, "short"), (8, "long enough")]


@ways
def test_a_check_that_is_never_content_ends_in_one_error(asynchronous):
    agent = Agent(Script(*[calls(final('{"answer": 1}', f"f{n}")) for n in range(9)]), output=int, corrections=3)

    @agent.check
    def never(answer):
        raise ToolError("no")

    with pytest.raises(OutputInvalid, match=": no"):
        go(agent, asynchronous)
    assert len(agent._model.requests) == 4


@ways
def test_a_defect_of_a_check_ends_the_run_as_it_is(asynchronous):
    agent = Agent(Script(says("x")))

    @agent.check
    def broken(text):
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        go(agent, asynchronous)
    assert caught.value.transcript.last.text == "x"


@ways
def test_a_check_that_does_not_end_is_left_at_the_runs_limit(asynchronous):
    agent = Agent(Script(says("x")), limits=Limits(seconds=0.2))

    @agent.check
    async def endless(text):
        await asyncio.Event().wait()

    with pytest.raises(LimitReached, match="seconds"):
        go(agent, asynchronous)


# The budget.


@ways
def test_answers_that_do_not_fit_have_a_budget_of_their_own(asynchronous):
    model = Script(*[calls(final('{"name": "Oslo"}', f"f{n}")) for n in range(9)])
    with pytest.raises(OutputInvalid, match="people") as caught:
        go(Agent(model, output=City), asynchronous)
    assert len(model.requests) == 3
    assert not caught.value.transcript.open_calls


@ways
def test_words_and_calls_that_do_not_fit_share_the_budget(asynchronous):
    model = Script(says("Oslo."), calls(final("{}")), calls(final("{}", "g")), says("no"))
    with pytest.raises(OutputInvalid):
        go(Agent(model, output=City, corrections=2), asynchronous)
    assert len(model.requests) == 3


@ways
def test_calls_of_other_tools_cost_no_correction(asynchronous):
    @tool
    def look() -> str:
        """Look."""
        raise ToolError("nothing to see")

    looks = [calls((f"a{n}", "look", "{}")) for n in range(6)]
    model = Script(*looks, calls(final('{"answer": 3}')))
    assert go(Agent(model, tools=[look], output=int, corrections=0), asynchronous).output == 3


def test_corrections_below_nought_are_refused():
    with pytest.raises(ConfigurationError, match="corrections"):
        Agent(Script(), corrections=-1)


# How firmly it is asked for.


def sent_to(profile, model, *plans, tools=(), output=int, **options):
    """What a simulator of a profile was sent by a typed run, and how it ended."""
    said = iter(plans)
    simulator = Simulator(profile, brain=lambda turn: next(said))
    client = httpx.Client(transport=simulator.transport())
    answering = open_model(model, base_url="http://sim" + simulator.profile.base, api_key="k", transport=client)
    result = Agent(answering, tools=tools, output=output, **options).run("go")
    return [entry.body for entry in simulator.log.chats], result


@tool
def look() -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize(
    ("profile", "model", "thinking", "tools", "choice"),
    [
        ("deepseek", "deepseek:deepseek-flash", False, (), {"type": "function", "function": {"name": "final_answer"}}),
        ("deepseek", "deepseek:deepseek-flash", False, (look,), "required"),
        ("deepseek", "deepseek:deepseek-flash", True, (look,), None),
        ("deepseek-v3.2", "deepseek-v3.2:deepseek-chat", None, (look,), "required"),
        ("evolink", "evolink:deepseek-chat", None, (), "required"),
        ("lkeap", "lkeap:deepseek-v3", None, (look,), None),
    ],
)
def test_the_output_tool_is_asked_for_as_firmly_as_the_row_allows(profile, model, thinking, tools, choice):
    asked = Plan(calls=(Call("final_answer", '{"answer": 3}'),))
    (body,), result = sent_to(profile, model, asked, tools=tools, settings=Settings(thinking=thinking))
    assert result.output == 3
    assert body.get("tool_choice") == choice
    reminders = [one for one in body["messages"] if "final_answer" in one["content"]]
    assert len(reminders) == (choice is None), "one reminder in words where it cannot be forced"


def test_a_choice_of_the_caller_is_left_as_it_is():
    asked = Plan(calls=(Call("final_answer", '{"answer": 3}'),))
    (body,), _ = sent_to(
        "deepseek", "deepseek:deepseek-flash", asked, settings=Settings(tool_choice="auto", thinking=False)
    )
    assert body["tool_choice"] == "auto"


def test_json_output_is_asked_for_where_there_is_no_function_calling():
    (body,), result = sent_to(
        "lkeap", "lkeap:deepseek-v3.1-terminus", Plan('{"name": "Oslo", "people": 3}'), output=City
    )
    assert result.output == City(name="Oslo", people=3)
    assert body["response_format"] == {"type": "json_object"}
    assert "tools" not in body
    told = json.dumps(body["messages"])
    assert "JSON Schema" in told
    assert "people" in told


def test_an_empty_answer_of_json_output_is_asked_for_without_it():
    plans = Plan(""), Plan('{"answer": 3}')
    (first, second), result = sent_to("lkeap", "lkeap:deepseek-v3.1-terminus", *plans)
    assert result.output == 3
    assert "response_format" in first
    assert "response_format" not in second


def test_with_other_tools_a_model_without_function_calling_is_told_of_all_in_words():
    words = '<tool_call>\n{"name": "final_answer", "arguments": {"answer": 3}}\n</tool_call>'
    (body,), result = sent_to("lkeap", "lkeap:deepseek-v3.1-terminus", Plan(words), tools=(look,))
    assert result.output == 3
    assert "response_format" not in body
    assert "`final_answer`" in json.dumps(body["messages"])


@pytest.mark.parametrize("kind", [int, City, list[City], dict[str, int], Literal["a", "b"], City | None, float, bool])
def test_an_example_in_the_prompt_fits_the_type(kind):
    described = Agent(Script(), output=kind)._output.tool
    bind(described, ToolCall("c", "final_answer", json.dumps(example(described.schema))))


# While it comes.


class Story(TypedDict, total=False):
    title: str
    chapters: list[str]


def growing(output, *deltas):
    class Slow:
        name = "slow:model"

        def call(self, request):
            for delta in deltas:
                request.emit(delta)
            return last(deltas)

        async def acall(self, request):
            for delta in deltas:
                request.emit(delta)
                for _ in range(3):
                    await asyncio.sleep(0)  # the onlooker has his turn
            return last(deltas)

    async def watch():
        async with Agent(Slow(), output=output).astream("go") as stream:
            return [value async for value in stream.outputs()]

    with Agent(Slow(), output=output).stream("go") as stream:
        whole = list(stream.outputs())
    return asyncio.run(watch()), whole


def last(deltas):
    if all(isinstance(one, TextDelta) for one in deltas):
        return says("".join(one.text for one in deltas))
    return calls(final("".join(one.arguments for one in deltas)))


def call_deltas(*pieces):
    return [CallDelta(0, "f", "final_answer", ""), *(CallDelta(0, "", "", piece) for piece in pieces)]


def test_a_typed_answer_is_seen_as_it_grows():
    seen, whole = growing(Story, *call_deltas('{"title": "Win', 'ter", "chap', 'ters": ["One", "Tw', 'o"]}'))
    assert seen[0] == {"title": "Win"}
    assert {"title": "Winter", "chapters": ["One", "Tw"]} in seen
    assert seen[-1] == whole[-1] == {"title": "Winter", "chapters": ["One", "Two"]}
    assert len(seen) == len({json.dumps(one) for one in seen[:-1]}) + 1, "only what changed"


def test_a_wrapped_answer_is_seen_as_it_grows():
    seen, whole = growing(list[str], *call_deltas('{"answer": ["a', '", "b"', "]}"))
    assert seen == [["a"], ["a", "b"], ["a", "b"]]
    assert whole[-1] == ["a", "b"]


def test_a_text_is_seen_as_it_grows():
    seen, whole = growing(str, TextDelta("One "), TextDelta("two."))
    assert seen == ["One ", "One two.", "One two."]
    assert whole[-1] == "One two."


def test_of_an_answer_that_needs_all_its_fields_there_is_nothing_before_they_are_there():
    seen, _ = growing(City, *call_deltas('{"name": "Os', 'lo", "people": 7', "00}"))
    assert seen[-1] == City(name="Oslo", people=700)
    assert all(isinstance(one, City) for one in seen)


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_text_cut_anywhere_is_no_crash_of_the_growing_answer(text, cuts):
    looking = Growing(Output(Story))
    looking.take(CallDelta(0, "f", "final_answer", ""))
    edges = sorted({0, *cuts, len(text)})
    for begin, end in itertools.pairwise(edges):
        if looking.take(CallDelta(0, "", "", text[begin:end])):
            for value in looking.values():
                assert isinstance(value, dict)


# On every endpoint.

WHOLE = '{"name": "Oslo", "people": 3}'
DAMAGES = [
    *('{"name": "Oslo"}', "Oslo has 3 people.", '{"name": "Oslo", "people": "many"}', "", "{", "null", "[]"),
    *(WHOLE, WHOLE[:-1], f"```json\n{WHOLE}\n```", f'{{"answer": {WHOLE}}}', WHOLE.replace("}", ",}")),
    *(WHOLE.replace('"', "'"), json.dumps(WHOLE), WHOLE.replace("3", "NaN"), WHOLE.replace('"Oslo"', "null")),
    *(f"{WHOLE} and more", f"{WHOLE}{WHOLE}", "<think>hm</think>" + WHOLE, WHOLE.replace("name", "Name")),
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(DAMAGES)), min_size=3, max_size=3), st.booleans(), st.booleans()
)
def test_damaged_answers_end_typed_or_in_the_one_right_error(said, thinking, streamed):
    plans = [Plan(calls=(Call("final_answer", text),)) if called else Plan(text) for called, text in said]
    left = iter([*plans, *plans[-1:] * 3])  # an empty reply is asked for once more
    simulator = Simulator(brain=lambda turn: next(left))
    with httpx.Client(transport=simulator.transport()) as client:
        model = open_model("deepseek:deepseek-flash", base_url="http://sim", api_key="k", transport=client, retries=0)
        agent = Agent(model, output=City, settings=Settings(thinking=thinking))
        ended = None
        try:
            answer = list(stream_of(agent))[-1] if streamed else agent.run("go").output
        except OutputInvalid as error:
            ended = error
    if ended is None:
        assert answer == City(name="Oslo", people=3)
    else:
        assert not ended.transcript.open_calls
        assert "City" in str(ended)


def stream_of(agent):
    with agent.stream("go") as stream:
        yield from stream.outputs()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("thinking", [None, True, False])
@pytest.mark.parametrize(
    ("profile", "model"),
    [
        ("deepseek", "deepseek:deepseek-flash"),
        ("deepseek-v4", "deepseek-v4:deepseek-v4-flash"),
        ("deepseek-v3.2", "deepseek-v3.2:deepseek-chat"),
        ("deepseek-v3.2", "deepseek-v3.2:deepseek-reasoner"),
        ("deepseek-v3.2-exp", "deepseek-v3.2-exp:deepseek-chat"),
        ("deepseek-v3.2-exp", "deepseek-v3.2-exp:deepseek-reasoner"),
        ("deepseek-r1", "deepseek-r1:deepseek-chat"),
        ("deepseek-r1", "deepseek-r1:deepseek-reasoner"),
        ("lkeap", "lkeap:deepseek-r1"),
        ("lkeap", "lkeap:deepseek-v3"),
        ("lkeap", "lkeap:deepseek-v3.1-terminus"),
        ("evolink", "evolink:deepseek-chat"),
        ("evolink", "evolink:deepseek-reasoner"),
        ("openai-compatible", "openai:some-model"),
        ("openai-compatible+vllm", "openai:some-model"),
        ("openai-compatible+ollama", "openai:some-model"),
        ("openai-compatible+llama.cpp", "openai:some-model"),
        ("openai-compatible+openrouter", "openrouter:some/model"),
    ],
)
def test_typed_answers_come_on_every_endpoint(profile, model, thinking, streamed):
    def brain(turn):
        if turn.tools:
            return Plan(calls=(Call("final_answer", '{"name": "Oslo", "people": 3}'),))
        if "<tool_call>" in json.dumps([str(one) for one in turn.messages]):
            return Plan(
                '<tool_call>\n{"name": "final_answer", "arguments": {"name": "Oslo", "people": 3}}\n</tool_call>'
            )
        return Plan('{"name": "Oslo", "people": 3}')

    simulator = Simulator(profile, brain=brain)
    with httpx.Client(transport=simulator.transport()) as client:
        answering = open_model(
            model, base_url="http://sim" + simulator.profile.base, api_key="k", transport=client, retries=0
        )
        agent = Agent(answering, output=City, settings=Settings(thinking=thinking))
        if streamed:
            with agent.stream("How many live in Oslo?") as stream:
                answer = list(stream.outputs())[-1]
        else:
            answer = agent.run("How many live in Oslo?").output
    assert answer == City(name="Oslo", people=3)
    assert [entry.status for entry in simulator.log.chats] == [200]
