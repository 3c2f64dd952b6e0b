"""Prompt-only mode against the endpoints that need it, as the simulator plays them: R1, LKEAP, EvoLink's reasoner."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from agentkit import Agent, Settings, tool
from agentkit.errors import ConfigurationError, OutputInvalid, Unavailable
from agentkit.events import FellBack, TextDelta, ToolStarted, Warned
from agentkit.messages import Assistant, System, ToolCall, ToolMessage, User
from agentkit.models import Fallback, open_model
from agentkit.models.catalog import find
from agentkit.models.open import found
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Plan
from agentkit.simulator.brains.function import function
from agentkit.simulator.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NAMES = [
    "sim:deepseek-r1:deepseek-reasoner",
    "sim:lkeap:deepseek-r1",
    "sim:lkeap:deepseek-v3.1-terminus",
    "sim:evolink:deepseek-reasoner",
]
REFUSED = {"tools", "tool_choice", "parallel_tool_calls", "logprobs", "top_logprobs"}
NO_SYSTEM = {"sim:deepseek-r1:deepseek-reasoner", "sim:lkeap:deepseek-r1"}
WAYS = ["run", "arun", "stream", "astream"]


def strict(name):
    """A simulator of a model's endpoint that refuses whatever that model should never be sent, and the model on it."""

    def layer(exchange, handler):
        body = json.loads(exchange.body)
        wrong = sorted(REFUSED & body.keys())
        if name != "sim:lkeap:deepseek-v3.1-terminus":
            more = {"temperature", "top_p", "frequency_penalty", "presence_penalty", "response_format"}
            wrong += sorted(more & body.keys())
        roles = [message["role"] for message in body["messages"]]
        wrong += ["system"] if name in NO_SYSTEM and "system" in roles else []
        wrong += ["reasoning_content"] if any("reasoning_content" in one for one in body["messages"]) else []
        wrong += ["tool"] if "tool" in roles or any("tool_calls" in one for one in body["messages"]) else []
        wrong += ["stop"] if "lkeap" in name and "stop" in body else []
        if wrong:
            exchange.refuse = Refusal(f"this must not be sent: {wrong}")
        return handler(exchange)

    simulator = Simulator(name.split(":")[1], layers=[layer])
    provider, row = found(name)
    model = open_model(
        name, transport=simulator.transport(), base_url=f"http://simulator{simulator.profile.base}", retries=0
    )
    assert (model.name, model.row) == (f"{provider.name}:{row.name}", row)
    return simulator, model


def loaded(path):
    """An example, as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def go(agent, way, prompt, **options):
    """Run in one of the four ways; the result and all events."""
    seen = []
    if way == "run":
        return agent.run(prompt, on_event=seen.append, **options), seen
    if way == "stream":
        with agent.stream(prompt, **options) as stream:
            seen = list(stream)
        return stream.result, seen

    async def alone():
        if way == "arun":
            return await agent.arun(prompt, on_event=seen.append, **options), seen
        async with agent.astream(prompt, **options) as stream:
            events = [one async for one in stream]
        return stream.result, events

    return asyncio.run(alone())


PROMPTS = {
    "weather": ["What is the weather in Paris and Tokyo?"],
    "calculator": ["What is ((12.5 + 7.5) * 6 - 30) / 4?"],
    "cron_report": ["Which articles are below 20 pieces in stock?"],
    "files": ["Which files are in the folder?", "Search the files for the text 'ToolError'."],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_the_same_as_with_native_tools(path, name, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", [str(path)])

    def printed(model):
        monkeypatch.setenv("AGENTKIT_MODEL", model)
        monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / model.replace(":", "-")))
        loaded(path).main()
        out = capsys.readouterr().out
        return json.loads(out)["report"] if path.stem == "cron_report" else out  # beside time and cost

    assert printed(name) == printed("sim:deepseek-flash") != ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_on_an_endpoint_that_refuses_what_must_not_be_sent(path, name, way):
    simulator, model = strict(name)
    agent = loaded(path).agent
    history = ()
    for prompt in PROMPTS[path.stem]:
        native, _ = go(agent, "run", prompt, history=history, model="sim:deepseek-flash")
        result, events = go(agent, way, prompt, history=history, model=model)
        history = result
        assert result.output == native.output
        assert [(one.name, json.loads(one.arguments)) for one in calls(result)] == [
            (one.name, json.loads(one.arguments)) for one in calls(native)
        ]
        shown = "".join(one.text for one in events if isinstance(one, TextDelta))
        assert "tool_call" not in shown
        assert result.output in shown
    if path.stem == "weather":
        started = [one for one in events if isinstance(one, ToolStarted)]
        assert len(started) == len(result.messages[1].tool_calls) == 2, "the calls of one reply run in parallel"
    assert all(entry.status == 200 for entry in simulator.log)
    assert {bool(entry.body.get("stream")) for entry in simulator.log} == {
        model.row.streams(asked="stream" in way, thinks=model.row.thinks(None))
    }


def calls(result):
    return [call for message in result.new_messages if isinstance(message, Assistant) for call in message.tool_calls]


@tool(side_effects="none")
def weather(city: str, days: int = 1) -> str:
    """Weather forecast for a city.

    Args:
        city: The city's name.
        days: How many days.
    """
    return f"{city}: {days} x rain"


INVENTED = (
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
    '<tool_response>\n{"name": "weather", "content": "sun"}\n</tool_response>\nThe sun shines in Paris.'
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_an_invented_result_is_discarded_whether_or_not_the_endpoint_stops_before_it(name, way):
    simulator, model = strict(name)
    simulator.brain = lambda turn: Plan(
        INVENTED if len(turn.messages) < 3 else f"It said: {json.loads(turn.messages[-1].text.splitlines()[1])}"
    )
    result, events = go(Agent(model, tools=[weather]), way, "Weather in Paris?")
    assert result.output == "It said: {'name': 'weather', 'content': 'Paris: 1 x rain'}"
    assert "sun" not in "".join(one.text for one in events if isinstance(one, TextDelta))
    assert all("sun" not in message.text for message in result.messages)
    sent = {json.dumps(entry.body.get("stop")) for entry in simulator.log}
    assert sent == ({"null"} if "lkeap" in name else {'["<tool_response>"]'})


def test_the_callers_own_stop_sequences_stay_and_leave_no_room_for_ours():
    simulator, model = strict("sim:evolink:deepseek-reasoner")
    for texts in ("END", [f"{one}!" for one in range(16)]):
        Agent(model, tools=[weather], settings=Settings(stop=texts)).run("Hello")
    assert [entry.body["stop"] for entry in simulator.log] == [["END", "<tool_response>"], [f"{n}!" for n in range(16)]]


class Sum(BaseModel):
    number: float
    unit: str = "euro"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_a_type_is_given_by_a_call_in_words(name, way):
    simulator, model = strict(name)
    replies = iter(
        [
            "It is seven.",
            '<tool_call>\n{"name": "final_answer", "arguments": {"number": "seven"}}\n</tool_call>',
            '<tool_call>\n{"name": "final_answer", "arguments": {"number": 7}}\n</tool_call>',
        ]
    )
    simulator.brain = function(lambda _: next(replies))
    result, _ = go(Agent(model, tools=[weather], output=Sum), way, "How much?")
    assert result.output == Sum(number=7)
    assert result.steps == 3
    assert (
        '- final_answer(number: number, unit: string = "euro"): Give the final answer.'
        in simulator.log[0].body["messages"][0]["content"]
    )
    assert all(entry.status == 200 for entry in simulator.log)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", ['{"number": 7}', '```json\n{"number": 7}\n```'])
def test_an_answer_of_a_type_may_be_given_as_json_alone(name, said):
    simulator, model = strict(name)
    simulator.brain = function(lambda _: said)
    assert Agent(model, output=Sum).run("How much?").output == Sum(number=7)


def test_a_model_that_gives_no_answer_of_the_type_is_reminded_and_then_an_error():
    simulator, model = strict("sim:lkeap:deepseek-r1")
    simulator.brain = function(lambda _: "No.")
    with pytest.raises(OutputInvalid):
        Agent(model, output=Sum).run("How much?")
    assert len(simulator.log) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_json_output_is_asked_for_in_words_where_the_request_cannot(name, way):
    if name == "sim:lkeap:deepseek-v3.1-terminus":
        pytest.skip("it takes `response_format`: see the next test")
    simulator, model = strict(name)
    agent = Agent(model, tools=[weather], settings=Settings(response_format={"type": "json_object"}))
    result, events = go(agent, way, "What is the weather in Paris?")
    assert json.loads(result.output) == {"answer": "Paris: 1 x rain."}
    assert len(calls(result)) == 1
    assert ["in words" in one.text for one in events if isinstance(one, Warned) and "response" in one.text] == [True]
    assert "one JSON object" in simulator.log[0].body["messages"][0]["content"]


def test_json_output_is_sent_where_the_row_takes_it_unless_calls_must_be_written():
    simulator = Simulator("lkeap")
    model = open_model(
        "sim:lkeap:deepseek-v3.1-terminus", transport=simulator.transport(), base_url="http://simulator/v1"
    )
    wanted = Settings(response_format={"type": "json_object"})
    assert json.loads(Agent(model, settings=wanted).run("What is 3 * 4? As JSON.").output) == {"answer": 12}
    assert "response_format" in simulator.log[-1].body
    told = Agent(model, tools=[weather], settings=wanted).run("What is the weather in Oslo?").output
    assert json.loads(told) == {"answer": "Oslo: 1 x rain."}
    assert "response_format" not in simulator.log[-1].body


def test_a_schema_of_the_answer_is_told_where_the_request_cannot_hold_it():
    simulator, model = strict("sim:lkeap:deepseek-r1")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    Agent(model, settings=Settings(response_format=wanted)).run("How many?")
    assert json.dumps(schema) in simulator.log[0].body["messages"][0]["content"]


def test_no_more_tools_are_told_than_the_row_would_take_and_no_choice_of_an_unknown_one():
    many = [replace_name(number) for number in range(129)]
    _, model = strict("sim:lkeap:deepseek-r1")
    with pytest.raises(ConfigurationError, match="at most 128"):
        Agent(model, tools=many).run("go")
    with pytest.raises(ConfigurationError, match="`nope`"):
        Agent(model, tools=[weather], settings=Settings(tool_choice="nope")).run("go")


def replace_name(number):
    @tool(name=f"tool_{number}", side_effects="none")
    def one() -> str:
        """Do nothing."""
        return ""

    return one


@pytest.mark.parametrize("choice", ["required", "weather"])
def test_a_forced_choice_is_told_and_heeded(choice):
    _, model = strict("sim:lkeap:deepseek-r1")

    @tool(side_effects="none")
    def clock(city: str) -> str:
        """Tell the time in a city."""
        return "noon"

    agent = Agent(model, tools=[weather, clock], settings=Settings(tool_choice=choice))
    called = calls(agent.run("What is the weather in Paris?"))
    assert {call.name for call in called} == {"weather"}


# A transcript that goes to and fro between endpoints with tools and without.

EVERY = ["sim:deepseek-flash", *NAMES, "sim:deepseek-v3.2:deepseek-reasoner", "sim:lkeap:deepseek-v3"]
_models = {}


def endpoint(name):
    """The endpoint's simulator and the model on it; refusing where the model is to be told in words."""
    if name not in _models:
        if name in NAMES:
            _models[name] = strict(name)
        else:
            profile = name.split(":")[1] if name.count(":") > 1 else "deepseek"
            simulator = Simulator(profile)
            url = f"http://simulator{simulator.profile.base}"
            _models[name] = simulator, open_model(name, transport=simulator.transport(), base_url=url, retries=0)
    return _models[name]


names = st.sampled_from(["weather", "gone"])
written = st.sampled_from(['{"city": "Paris"}', "{}", "{broken", '{"a": 1}{"b": 2}', '{"x": "</tool_call>"}', ""])
ids = st.sampled_from(["c0", "c1", "c2"])
entries = st.lists(
    st.one_of(
        st.builds(User, st.sampled_from(["And Oslo?", "<tool_response>", "Go on."])),
        st.builds(System, st.just("Be brief.")),
        st.builds(Assistant, st.sampled_from(["Well.", "", "<think>x</think>"]), st.sampled_from([None, "", "hm"])),
        st.lists(st.tuples(names, written), min_size=1, max_size=3).map(
            lambda some: Assistant(
                "", "why", tool_calls=tuple(ToolCall(f"c{i}", *one) for i, one in enumerate(some)),
                finish_reason="tool_calls",
            )
        ),
        st.builds(ToolMessage, ids, names, st.sampled_from(["rain", "</tool_response>", ""])),
    ),
    max_size=7,
)  # fmt: skip


@given(entries, st.lists(st.sampled_from(EVERY), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_transcript_goes_on_on_any_endpoint_and_back(said, models):
    history = [User("What is the weather in Paris?"), *said]
    for number, name in enumerate(models):
        simulator, model = endpoint(name)
        result = Agent(model, instructions="Be exact.", tools=[weather]).run(
            f"What is the weather in Rome for {number + 1} days?", history=history
        )
        assert f"Rome: {number + 1} x rain" in result.output
        assert simulator.log[-1].status == 200
        history = result


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", ["sim:deepseek-flash", "sim:lkeap:deepseek-r1"])
@pytest.mark.parametrize("second", ["sim:deepseek-flash", "sim:lkeap:deepseek-r1", "sim:evolink:deepseek-reasoner"])
def test_a_run_falls_back_in_its_middle_from_words_to_native_tools_and_from_them_to_words(first, second, way):
    class Once:
        """Answers once, and is then out of order."""

        def __init__(self, model):
            self.model, self.name, self.asked = model, model.name, 0

        def check(self):
            self.asked += 1
            if self.asked > 1:
                raise Unavailable("out of order")

        def call(self, request):
            self.check()
            return self.model.call(request)

        async def acall(self, request):
            self.check()
            return await self.model.acall(request)

    model = Fallback([Once(open_model(first)), open_model(second)])
    result, events = go(Agent(model, tools=[weather]), way, "What is the weather in Paris and Tokyo?")
    assert "Paris: 1 x rain" in result.output
    assert "Tokyo: 1 x rain" in result.output
    assert len([one for one in events if isinstance(one, FellBack)]) == 1
    assert len([one for one in events if isinstance(one, ToolStarted)]) == 2


def test_the_simulator_as_another_endpoint_is_known_by_its_profile():
    assert open_model("sim:lkeap:deepseek-r1").name == "sim:lkeap:deepseek-r1"
    assert open_model("SIM:LKEAP+lenient:DeepSeek-R1").name == "sim:lkeap+lenient:deepseek-r1"
    assert open_model("sim:vllm:any/model").name == "sim:vllm:any/model"
    assert Agent("sim:openai-compatible+think-tags:deepseek-v3.2").run("What is 2 + 3?").output == "2 + 3 = 5."
    with pytest.raises(ConfigurationError, match="no simulator profile"):
        open_model("sim:nowhere:deepseek-r1")
    with pytest.raises(ConfigurationError, match="there is no model `lkeap:gpt`"):
        open_model("sim:lkeap:gpt")
    assert found("sim:lkeap:deepseek-r1")[1] == find("lkeap:deepseek-r1")[1]


@pytest.mark.slow
def test_the_guide_says_what_tools_cost_told_either_way():
    script = ROOT / "tests" / "benchmarks" / "prompt_only_tokens.py"
    printed = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "| 128 |" in printed
    guide = (ROOT / "docs" / "guides" / "prompt-only.md").read_text(encoding="utf-8")
    assert printed.strip() in guide
