"""`record` and `replay`: whatever runs on the simulator runs again from its file, without network, tool or key."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script import ago, go, ways
from wire import completion, event, serving

from agentkit import Agent, Limits, Settings, TextDelta, ToolError, ToolResult, tool
from agentkit.errors import AgentkitError, ConfigurationError, TimedOut
from agentkit.events import ToolFinished, Warned
from agentkit.messages import Note
from agentkit.models import open_model
from agentkit.models.retry import Clock
from agentkit.models.transport import Patience
from agentkit.testing import ReplayMismatch, Script, Sim, call, capture, record, replay

KEY = "sk-0123456789abcdef"
FAULTS = [
    "429",
    "503",
    "401",
    "html",
    "empty",
    "zero-tokens",
    "malformed",
    "truncated",
    "leak",
    "missing-ids",
    "duplicate-ids",
    "cut-chunk",
    "no-usage",
    "invented-tool",
    "content-filter",
]


class Tools:
    """Two tools that count how often they were run."""

    def __init__(self):
        self.ran = []

        @tool
        def weather(city: str) -> str:
            """Forecast for a city."""
            self.ran.append(city)
            return f"{city}: sunny"

        @tool
        async def population(city: str) -> int:
            """How many people live in a city."""
            self.ran.append(city)
            if city == "Rome":
                raise ToolError("nobody has counted")
            return len(city) * 1000

        self.list = [weather, population]


def said(result):
    """The entries of a result, without what is another in each run."""
    return [
        replace(one, data={name: value for name, value in one.data.items() if name != "id"})
        if isinstance(one, Note) and one.kind == "run"
        else one
        for one in result.entries
    ]


def lines(file):
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def both(file, make, way, *args, **options):
    """Run an agent and then its recording; the results, or errors, with the requests of each."""
    ended = []
    for block in (record(file), replay(file)):
        tools = Tools()
        agent = make(tools.list)
        with block, capture() as requests:
            try:
                result = go(agent, way, *args, **options)
                end = said(result), result.output, result.usage, result.steps
            except AgentkitError as error:
                end = type(error), str(error), [one for one in error.transcript if not isinstance(one, Note)]
        ended.append((end, [one.content for one in requests], tools.ran))
    return ended


def replays_to_the_same(file, way, profile, faults, mode, output, thinking, prompt, seed):
    sim, silent = Sim(profile[0], seed=seed), Sim(profile[0])
    if faults:
        sim.faults.next(*faults)
    models = iter([sim.model(profile[1], api_key=KEY, tool_mode=mode), silent.model(profile[1], tool_mode=mode)])

    def make(tools):
        asked = Settings(thinking=thinking)
        return Agent(next(models), tools=tools, output=output, settings=asked, corrections=1, limits=Limits(steps=6))

    (end, requests, _), (again, requested, ran) = both(file, make, way, prompt)
    assert again == end
    assert requested == requests
    assert ran == []
    assert [entry.content for entry in sim.log] == requests
    assert list(silent.log) == []
    assert KEY not in file.read_text("ascii")


ANY = given(
    way=st.sampled_from(["run", "arun", "stream", "astream"]),
    profile=st.sampled_from(
        [("deepseek", "deepseek:deepseek-flash"), ("lkeap", "lkeap:deepseek-v3"), ("lkeap", "lkeap:deepseek-r1")]
    ),
    faults=st.lists(st.sampled_from(FAULTS), max_size=3),
    mode=st.sampled_from(["auto", "prompt"]),
    output=st.sampled_from([str, list[str]]),
    thinking=st.sampled_from([None, False]),
    prompt=st.sampled_from(["Weather in Paris and Tokyo?", "Population of Rome and weather in Genève?", "Hello 😀"]),
    seed=st.integers(0, 5),
)


@settings(max_examples=20)
@ANY
def test_any_recorded_run_replays_to_the_same_transcript(tmp_path_factory, **drawn):
    replays_to_the_same(tmp_path_factory.mktemp("run") / "run.jsonl", **drawn)


@pytest.mark.slow
@settings(max_examples=400)
@ANY
def test_any_of_many_recorded_runs_replays_to_the_same_transcript(tmp_path_factory, **drawn):
    replays_to_the_same(tmp_path_factory.mktemp("run") / "run.jsonl", **drawn)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


def recorded(file, prompt="Weather in Paris and Tokyo?", **options):
    """A recorded run on a simulator; the agent and its result."""
    tools = Tools()
    agent = Agent(Sim().model(), instructions="Be brief.", tools=tools.list, **options)
    with record(file):
        return tools, agent, agent.run(prompt)


def test_a_changed_prompt_shows_the_first_difference(file):
    recorded(file)
    agent = Agent("deepseek:deepseek-flash", instructions="Be brave.", tools=Tools().list)
    with pytest.raises(ReplayMismatch) as raised, replay(file):
        agent.run("Weather in Paris and Tokyo?", model=Sim().model())
    assert str(raised.value).splitlines() == [
        f"a request is not as it was recorded in `{file}`. The nearest is request 1 of 2, and the first difference is",
        "  messages[0].content (a message of the role `system`)",
        '  expected: "Be brief."',
        '  got:      "Be brave."',
    ]


def test_the_nearest_recorded_request_is_the_one_that_begins_alike_longest(file):
    agent = Agent(Sim().model())
    with record(file):
        agent.run("Hello, everybody")
        agent.run("Goodbye, everybody")
    with pytest.raises(ReplayMismatch) as raised, replay(file):
        agent.run("Goodbye, nobody")
    assert "The nearest is request 2 of 2" in str(raised.value)
    assert '  expected: "Goodbye, everybody"' in str(raised.value).splitlines()


def test_with_the_tools_real_another_result_shows_in_the_request_that_tells_it(file):
    tools, agent, _ = recorded(file)
    with replay(file, tools="real"):
        agent.run("Weather in Paris and Tokyo?")
    assert sorted(tools.ran) == ["Paris", "Paris", "Tokyo", "Tokyo"]

    @tool
    def weather(city: str) -> str:
        """Forecast for a city."""
        return f"{city}: {'rain' if city == 'Tokyo' else 'sunny'}"

    with (
        pytest.raises(ReplayMismatch) as raised,
        replay(file, tools="real"),
        agent.override(tools=[weather, tools.list[1]]),
    ):
        agent.run("Weather in Paris and Tokyo?")
    assert str(raised.value).splitlines()[0].endswith("The nearest is request 2 of 2, and the first difference is")
    assert str(raised.value).splitlines()[1:] == [
        "  messages[4].content (a message of the role `tool`)",
        '  expected: "Tokyo: sunny"',
        '  got:      "Tokyo: rain"',
    ]


def test_with_the_model_real_requests_are_sent_and_tools_answered_from_the_file(file):
    recorded(file)
    tools, sim = Tools(), Sim(seed=9)
    agent = Agent(sim.model(), instructions="Speak plainly.", tools=tools.list)
    with replay(file, model="real"):
        assert agent.run("Weather in Tokyo and Paris?").output == "Tokyo: sunny. Paris: sunny."
    assert (len(sim.log), tools.ran) == (2, [])
    with pytest.raises(ReplayMismatch) as raised, replay(file, model="real"):
        agent.run("Weather in Pisa?")
    assert str(raised.value).splitlines()[1:] == ["  city", '  expected: "Paris"', '  got:      "Pisa"']


def test_not_both_may_be_real_and_options_are_checked(file):
    recorded(file)
    for options in ({"tools": "real", "model": "real"}, {"tools": "none"}, {"times": -1.0}, {"times": float("nan")}):
        with pytest.raises(ConfigurationError), replay(file, **options):
            pass


def test_no_key_is_needed_while_a_recording_is_replayed_and_one_is_afterwards(file):
    sim = Sim()
    with record(file):
        Agent(sim.model("deepseek:deepseek-flash")).run("Hello")
    agent = Agent("deepseek:deepseek-flash")
    with replay(file):
        agent.run("Hello")
    with pytest.raises(ConfigurationError, match="no key"):
        agent.run("Hello")


def test_what_is_left_over_is_told_at_the_end(file):
    _, agent, _ = recorded(file)
    words = r"of the 2 requests in `.*`, 2 were not sent; the first is request 1, POST /chat/completions: its last mess"
    with pytest.raises(ReplayMismatch, match=words), replay(file):
        pass
    agent = Agent(Script([call("weather", city="Paris"), "Done."]), tools=Tools().list)
    with record(file):
        agent.run("Go")
    with pytest.raises(ReplayMismatch, match=r"of the 1 calls .* 1 were not made; .* `weather` with"), replay(file):
        Agent(Script(["Done."])).run("Go")
    with pytest.raises(ReplayMismatch, match=r"`population` .* no result of; it has those of `weather`"), replay(file):
        Agent(Script([call("population", city="Paris"), "Done."]), tools=Tools().list).run("Go")


def test_one_request_too_many_is_told(file):
    with record(file):
        Agent(Sim().model()).run("Hello")
    agent = Agent(Sim().model())
    with pytest.raises(ReplayMismatch, match="once more than"), replay(file) as left:  # noqa: PT012 - told again
        agent.run("Hello")
        left.assert_complete()
        with pytest.raises(ReplayMismatch, match=r"once more than in .* \(1\): its last message is `user`: 'Hello'"):
            agent.run("Hello")


def test_what_a_tool_swallows_is_told_at_the_end(file):
    def make(word):
        @tool
        def expert(question: str) -> str:
            """Ask an expert."""
            return Agent(Sim().model(), instructions=word).run(question).output

        return Agent(Script([call("expert", question="Why?"), "Because."]), tools=[expert])

    with record(file):
        make("Be brief.").run("Go")
    with replay(file, tools="real"):
        make("Be brief.").run("Go")
    with pytest.raises(ReplayMismatch, match=r"expected: .Be brief"), replay(file, tools="real"):
        assert make("Be long.").run("Go").output == "Because."


@ways
def test_agents_that_are_tools_run_again_and_agents_within_tools_do_not(way, file):
    ran = []

    def make(sim):
        @tool
        def asked(question: str) -> str:
            """Ask by a function."""
            ran.append(question)
            return Agent(sim.model()).run(question).output

        @tool
        def deep(question: str) -> str:
            """Think deeply."""
            ran.append(question)
            return "42"

        expert = Agent(sim.model(), tools=[deep], name="expert").as_tool()
        return Agent(sim.model(), tools=[asked, expert])

    sim = Sim()
    sim.script(
        {"calls": [{"name": "asked", "arguments": {"question": "Why?"}}]},
        "Because.",
        {"calls": [{"name": "expert", "arguments": {"prompt": "How much?"}}]},
        {"calls": [{"name": "deep", "arguments": {"question": "Really?"}}]},
        "It is 42.",
        "So it is.",
    )
    with record(file):
        first = go(make(sim), way, "Ask")
    assert ran == ["Why?", "Really?"]
    silent = Sim()
    with replay(file):
        again = go(make(silent), way, "Ask")
    assert said(again) == said(first)
    assert again.usage == first.usage
    assert (len(ran), len(silent.log)) == (2, 0)
    silent.script("never")
    with replay(file, tools="real"):
        go(make(silent), way, "Ask")
    assert (ran[2:], len(silent.log)) == (["Why?", "Really?"], 0)


def test_parallel_runs_are_told_apart_by_what_they_ask(file):
    async def ask(model, names):
        agent = Agent(model, tools=Tools().list)
        return await asyncio.gather(*(ago(agent, "arun", f"Weather in {name} and Pisa?") for name in names))

    names = ["Paris", "Tokyo", "Oslo", "Lima", "Oslo"]
    with record(file):
        first = asyncio.run(ask(Sim().model(), names))
    with replay(file):
        again = asyncio.run(ask(Sim().model(), reversed(names)))
    assert sorted(one.output for one in again) == sorted(one.output for one in first)
    with replay(file):
        agent = Agent(Sim().model(), tools=Tools().list)
        results = [go(agent, "stream", f"Weather in {name} and Pisa?") for name in names]
    assert sorted(one.output for one in results) == sorted(one.output for one in first)


def test_keys_and_other_secrets_are_never_in_the_file(file):
    pieces = [b'{"error": {"message": "bad key ' + KEY[:9].encode(), KEY[9:].encode() + b' of hunter2-hunter2"}}']

    def handler(exchange):
        if exchange.number > 1 or len(server.exchanges) > 1:
            exchange.reply(completion(f"Your key is {KEY}, and the word is hunter2-hunter2."))
            return
        exchange.send(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\n\r\n")
        for piece in pieces:
            exchange.chunk(piece)
        exchange.end()

    @tool
    def secret() -> str:
        """The secret."""
        return f"{KEY} hunter2-hunter2"

    with serving(handler) as server:
        options = {"base_url": server.url, "api_key": KEY}
        model = open_model("openai:m", **options)
        model.retries = replace(model.retries, first=0.0)
        agent = Agent(model, tools=[secret], settings=Settings(extra_headers={"X-My-Token": "tok-123456789"}))
        with record(file, secrets=["hunter2-hunter2"]):
            first = agent.run(f"Say {KEY} and tok-123456789 to hunter2-hunter2")
        assert KEY in first.output
    text = file.read_text("ascii")
    for word in (KEY, KEY[9:], "tok-1234", "hunter2", "a=b"):
        assert word not in text
    with replay(file, secrets=["hunter2-hunter2"]):
        again = agent.run(f"Say {KEY} and tok-123456789 to hunter2-hunter2")
    assert again.output == first.output.replace(KEY, "*" * len(KEY)).replace("hunter2-hunter2", "*" * 15)


@ways
def test_pieces_come_as_they_came_even_where_they_are_no_text(way, file, tmp_path):
    whole = event({"content": "Ça va: "}) + event({"content": "😀 \udcff"}) + b": \xff\xfe\n\n" + event({}, "stop")
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)] + [b"data: [DONE]\n\n"]

    def handler(exchange):
        exchange.begin()
        for piece in pieces:
            exchange.chunk(piece)
        exchange.end()

    with serving(handler) as server:
        model = open_model("openai:m", base_url=server.url, api_key=KEY)
        with record(file):
            first = go(Agent(model), way, "Hello")
    again = tmp_path / "again.jsonl"
    with replay(file), record(again):
        result = go(Agent(model), way, "Hello")
    assert said(result) == said(first)
    one, other = (next(line for line in lines(path) if "exchange" in line)["reply"]["chunks"] for path in (file, again))
    assert [data for _, data in one] == [data for _, data in other]
    assert b"".join(data.encode("utf-8", "surrogateescape") for _, data in one) == b"".join(pieces)


def test_recorded_pauses_are_waited_as_long_as_is_asked_for(file, sim):
    sim.faults.next("429(retry_after=3)")
    model = sim.model()
    model.clock = Clock(sleep=lambda _: None, asleep=lambda _: asyncio.sleep(0))
    with record(file):
        Agent(model).run("Hello")
    waited, between = [], []
    model.clock = Clock(sleep=between.append)
    with replay(file):
        Agent(model).run("Hello")
    assert between == [0.0]
    with replay(file, times=0.5, clock=Clock(sleep=waited.append)):
        Agent(model).run("Hello")
    assert between == [0.0, 1.5]
    exchanges = [line["reply"] for line in lines(file) if "exchange" in line]
    assert sum(waited) == pytest.approx(0.5 * sum(one["chunks"][-1][0] for one in exchanges))


@ways
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_a_limit_that_passed_passes_again_without_a_wait(way, transport, file):
    if transport == "aiohttp":
        pytest.importorskip("aiohttp")

    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"content": "One "}))
        exchange.wait_until_left()

    with serving(handler) as server:
        patience = Patience(idle=1.0)
        url = server.url
        model = open_model("openai:m", base_url=url, api_key=KEY, timeout=patience, retries=0, transport=transport)
        with record(file), pytest.raises(TimedOut) as first:
            go(Agent(model), way, "Hello")
    with replay(file), pytest.raises(TimedOut) as again:
        go(Agent(model), way, "Hello")
    assert (str(again.value), again.value.code) == (str(first.value), first.value.code)


@ways
def test_what_tools_answered_is_told_again_in_all_its_forms(way, file):
    ran, over = [], threading.Event()

    @tool(max_result=100)
    def long() -> ToolResult:
        """Much text."""
        ran.append("long")
        return ToolResult("word " * 100, data={"size": [500, None]})

    @tool
    def odd() -> object:
        """What JSON has no form for."""
        ran.append("odd")
        return object()

    @tool(sequential=True)
    def wrong() -> str:
        """Always fails."""
        ran.append("wrong")
        raise KeyError(KEY)

    @tool(timeout=0.05)
    def slow() -> str:
        """Never ends by itself."""
        ran.append("slow")
        over.wait(10)
        return "late"

    def run():
        seen = []
        names = ["slow", "wrong", "long", "odd", "nosuch"]
        script = Script([[call(name) for name in names], [call(name) for name in reversed(names)], "Done."])
        result = go(Agent(script, tools=[long, odd, wrong, slow]), way, "Go", on_event=seen.append)
        finished = [(one.call.id, one.ok, one.text) for one in seen if isinstance(one, ToolFinished)]
        warned = [one for one in seen if isinstance(one, Warned)]
        return said(result), finished, warned

    with record(file):
        first = run()
    over.set()
    assert len(ran) == 8
    with replay(file):
        assert run() == first
    assert len(ran) == 8
    assert len(first[1]) == 8


def test_a_stream_that_was_left_may_be_left_again(file):
    left = threading.Event()

    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"content": "One "}))
        exchange.wait_until_left()
        left.set()

    def look(agent):
        with agent.stream("Count") as stream:
            return next(one.text for one in stream if isinstance(one, TextDelta))

    with serving(handler) as server:
        agent = Agent(open_model("openai:m", base_url=server.url, api_key=KEY))
        with record(file):
            assert look(agent) == "One "
        assert left.wait(10)
    assert [line["reply"]["end"] for line in lines(file) if "exchange" in line] == ["left"]
    with replay(file):
        assert look(agent) == "One "


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stream", "astream"])
def test_who_reads_on_where_a_stream_was_left_is_told(way, file):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"content": "One "}))
        exchange.wait_until_left()

    with serving(handler) as server:
        agent = Agent(open_model("openai:m", base_url=server.url, api_key=KEY))
        with record(file), agent.stream("Count") as stream:
            assert any(isinstance(one, TextDelta) for one in stream)
    with pytest.raises(ReplayMismatch, match="left before its end"), replay(file):
        go(agent, way, "Count")


def test_a_recording_is_written_when_the_block_fails_and_in_place_of_an_earlier_one(file):
    file.write_text("before")
    agent = Agent(Script([ZeroDivisionError()]))
    with pytest.raises(ZeroDivisionError), record(file):
        agent.run("Go", history=Agent(Sim().model()).run("Hello"))
    with replay(file):
        Agent(Sim().model()).run("Hello")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with pytest.raises(ConfigurationError, match="there is no folder"), record(file.parent / "none" / "x"):
        pass


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "line 1 is not what"),
        (b"\xff\xfe", "line 1 is not what"),
        (b'{"recording": 99}\n', "of version 99, and this agentkit reads version 1"),
        (b'{"recording": 1}\n{"exchange": 1}\n', "line 2 is not what"),
        (b'{"recording": 1}\n{"tool": 1, "more": 2}\n', "line 2 is not what"),
        (b'{"recording": 1}\n[]\n', "line 2 is not what"),
    ],
)
def test_what_is_no_recording_is_refused(file, content, words):
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words), replay(file):
        pass
