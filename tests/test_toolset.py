"""Groups of tools: other names, a choice at each step, and connections that are open while they are used."""

import asyncio
import contextlib
import threading

import pytest
from script import Script, ago, calls, go, says, ways

import agentkit
from agentkit import Agent, ConfigurationError, Limits, Tool, Toolset, testing, tool
from agentkit.errors import LimitReached
from agentkit.messages import Note, ToolMessage, dump, load
from agentkit.toolset import OFFERED


@tool
def find(word: str, limit: int = 3) -> str:
    """Find a word."""
    return f"{word} x {limit}"


@tool(approval=True)
def drop(word: str) -> str:
    """Drop a word."""
    return f"dropped {word}"


def names(tools):
    return [one.name for one in tools]


def told(result):
    return {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}


def noted(entries):
    return [entry.data["names"] for entry in entries if isinstance(entry, Note) and entry.kind == OFFERED]


class Watching(testing.Script):
    """A script that tells which tools it was offered."""

    def __init__(self, *replies):
        super().__init__(replies)

    @property
    def offered(self):
        return [names(one.tools) for one in self.requests]

    @property
    def tuples(self):
        return [one.tools for one in self.requests]


# Names.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["find", "drop"]),
        ({"prefix": "db_"}, ["db_find", "db_drop"]),
        ({"filter": ["find"]}, ["find"]),
        ({"filter": lambda one: not one.approval}, ["find"]),
        ({"filter": []}, []),
        ({"rename": {"find": "search"}}, ["search", "drop"]),
        ({"rename": str.upper}, ["FIND", "DROP"]),
        ({"rename": {"find": "search"}, "prefix": "db_", "filter": {"find"}}, ["db_search"]),
    ],
)
def test_a_group_shows_its_tools_under_its_names(options, expected):
    group = Toolset([find, drop], **options)
    assert names(group.tools) == expected
    assert names(Agent(Script(), tools=[group]).tools) == expected
    assert list(agentkit.tools.as_tools([group])) == expected
    assert all(one is other for one, other in zip(group.tools, group.tools, strict=True)), "each is made once"


def test_groups_hold_functions_and_groups():
    def plain() -> str:
        """Be plain."""
        return ""

    class Shelf:
        tools = (find,)

    inner = Toolset([Shelf(), plain], prefix="in_")
    assert names(Toolset([inner, drop], prefix="out_").tools) == ["out_in_find", "out_in_plain", "out_drop"]


def test_a_tool_that_is_there_twice_is_shown_once():
    @tool
    def find(word: str) -> str:
        """Find a word."""
        return word

    assert Toolset([find, find, Toolset([find])]).tools == (find,)


def test_a_renamed_tool_keeps_all_but_its_name():
    (renamed,) = Toolset([drop], prefix="db_").tools
    assert isinstance(renamed, Tool)
    assert renamed.options() == drop.options()
    assert renamed.schema == drop.schema
    assert renamed.description == drop.description
    assert renamed.definition()["function"]["name"] == "db_drop"
    assert drop.name == "drop"


@ways
def test_a_renamed_tool_is_called_and_told_of_by_its_new_name(way):
    asked = calls(("a", "db_find", '{"word": "sea"}'), ("b", "db_find", "{}"), ("c", "find", '{"word": "sea"}'))
    result = go(Agent(Script(asked, says("done")), tools=[Toolset([find], prefix="db_")]), way, "go")
    assert told(result)["a"] == "sea x 3"
    assert told(result)["b"].startswith("`db_find` was not run, because")
    assert "Did you mean `db_find`?" in told(result)["c"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Toolset([find], prefix="a b "), "its name is `a b find`"),
        (lambda: Toolset([find], prefix="x" * 64), "its name is"),
        (lambda: Toolset([find, drop], rename=lambda _: "same"), "two tools are called `same`"),
        (lambda: Toolset([find], filter="find"), "give a list of names"),
        (lambda: Toolset("find"), "`tools` is a list"),
        (lambda: Toolset([5]), "cannot be a tool"),
        (lambda: Agent(Script(), tools=[find, Toolset([find, drop], prefix="")], name="x").tools[5], "IndexError"),
        (lambda: Agent(Script(), tools=[tool(lambda: 1, name="find"), Toolset([find])]), "two tools are called `find`"),
    ],
)
def test_what_makes_no_group_is_refused(make, message):
    if message == "IndexError":  # the same tool twice is one tool
        with pytest.raises(IndexError):
            make()
        return
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert message in str(caught.value)


# A choice at each step.


def by_turns(context, tools):
    """Both at first, then those without approval."""
    return tools if not context.messages[1:] else [one for one in tools if not one.approval]


FIND = ("a", "find", '{"word": "sea"}')


@ways
def test_what_is_offered_is_chosen_anew_at_each_step(way):
    seen = []

    def prepare(context, tools):
        seen.append((context.value, len(context.messages), names(tools)))
        return by_turns(context, tools)

    model = Watching(calls(FIND), calls(("b", "drop", '{"word": "x"}')), says("done"))
    result = go(Agent(model, tools=[Toolset([find, drop], prepare=prepare)]), way, "go", context="me")
    assert model.offered == [["find", "drop"], ["find"], ["find"]]
    assert seen == [("me", 1, ["find", "drop"]), ("me", 3, ["find", "drop"]), ("me", 5, ["find", "drop"])]
    assert told(result)["b"] == "There is no tool `drop`. The tools are: `find`.", "what is left out cannot be called"
    assert noted(result.entries) == [["find"]]
    assert model.tuples[1] is model.tuples[2], "what stays the same is not encoded again"


@ways
def test_a_choice_that_never_changes_leaves_no_note(way):
    model = Watching(calls(FIND), says("done"))
    result = go(Agent(model, tools=[Toolset([find, drop], prepare=lambda _, tools: tools)]), way, "go")
    assert noted(result.entries) == []
    assert model.tuples[0] is model.tuples[1]


@ways
def test_a_choice_may_give_other_tools_and_change_what_it_gives(way):
    def prepare(context, tools):
        extra = tool(lambda: "extra", name="extra")
        return [extra.renamed(f"extra_{len(context.messages)}")]

    model = Watching(calls(("a", "extra_1", "{}")), says("done"))
    result = go(Agent(model, tools=[Toolset([find], prepare=prepare)]), way, "go")
    assert model.offered == [["extra_1"], ["extra_3"]]
    assert told(result) == {"a": "extra"}
    assert noted(result.entries) == [["extra_1"], ["extra_3"]]


def test_a_group_in_a_group_chooses_too():
    inner = Toolset([find, drop], prefix="in_", prepare=lambda _, tools: tools[:1])
    model = Watching(says("done"))
    Agent(model, tools=[Toolset([inner], prefix="out_"), drop]).run("go")
    assert model.offered == [["out_in_find", "drop"]]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_goes_on_with_the_tools_that_the_model_was_offered_when_it_called(asynchronous):
    """The choice has moved on when the verdict comes, but the call was made while the tool was there."""
    agent = Agent(
        Watching(calls(("a", "drop", '{"word": "x"}'), ("b", "other", "{}")), says("done")),
        tools=[Toolset([find, drop, tool(lambda: "no", name="other")], prepare=chosen_first)],
    )
    paused = agent.run("go")
    assert noted(paused.entries) == [["drop"]]
    saved = load(dump(paused.entries))
    if asynchronous:
        result = asyncio.run(agent.aresume(saved, {"a": True}))
    else:
        result = agent.resume(saved, {"a": True})
    assert told(result)["a"] == "dropped x"
    assert told(result)["b"].startswith("There is no tool `other`")
    assert agent._model.offered == [["drop"], ["find"]]


def chosen_first(context, tools):
    return [one for one in tools if one.name == ("drop" if len(context.messages) == 1 else "find")]


@ways
@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda context, tools: 1 / 0, ZeroDivisionError),
        (lambda context, tools: [5], ConfigurationError),
        (lambda context, tools: [*tools, tool(lambda: 1, name="find")], ConfigurationError),
        (lambda context, tools: asyncio.sleep(0), ConfigurationError),
    ],
)
def test_a_choice_that_fails_ends_the_run_with_its_own_error(way, prepare, error):
    with pytest.raises(error) as caught:
        go(Agent(Script(says("x")), tools=[Toolset([find], prepare=prepare)]), way, "go")
    assert len(caught.value.transcript.messages()) == 1


def test_the_changed_tools_are_what_is_sent():
    from agentkit.models import open_model

    group = Toolset([find, drop], prepare=lambda _, tools: tools[:1])
    result = Agent(open_model("sim:deepseek-flash"), tools=[group]).run('Find the word "sea".')
    assert [call.name for one in result.messages if one.role == "assistant" for call in one.tool_calls] == ["find"]


# Connections.


class Server:
    """Something to connect to, which writes down in which task and loop it is entered and left."""

    def __init__(self):
        self.log = []

    def here(self, word):
        self.log.append((word, asyncio.get_running_loop(), asyncio.current_task()))

    @contextlib.asynccontextmanager
    async def connect(self):
        self.here("open")
        self.left = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def ask(word: str) -> str:
            """Ask the server."""
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
            return f"{word}!"

        try:
            yield [ask]
        finally:
            await asyncio.sleep(0)
            self.here("close")
            self.left.set()

    def words(self):
        return [word for word, _, _ in self.log]


ASK = ("a", "ask", '{"word": "sea"}')


def asking(server, **options):
    return Agent(
        Watching(*[reply for _ in range(4) for reply in (calls(ASK), says("done"))]),
        tools=[Toolset(lifetime=server.connect, **options)],
    )


@pytest.mark.parametrize("way", ["run", "stream"])
def test_a_lifetime_is_entered_once_for_sync_runs_and_left_by_close(way):
    agentkit.close()
    server = Server()
    agent = asking(server)
    assert agent.tools == ()
    for _ in range(3):
        assert told(go(agent, way, "go")) == {"a": "sea!"}
    assert server.words() == ["open"]
    assert agent._model.offered[0] == ["ask"]
    agentkit.close()
    assert server.words() == ["open", "close"]
    assert server.log[0][1:] == server.log[1][1:], "one task and loop enters and leaves"
    assert told(go(agent, way, "go")) == {"a": "sea!"}
    agentkit.close()
    assert server.words() == ["open", "close"] * 2


@pytest.mark.parametrize("way", ["arun", "astream"])
def test_a_lifetime_is_entered_on_the_running_loop_and_left_with_it(way):
    server = Server()
    agent = asking(server)

    async def twice():
        for _ in range(2):
            assert told(await ago(agent, way, "go")) == {"a": "sea!"}
        assert server.words() == ["open"]
        assert server.log[0][1] is asyncio.get_running_loop()

    asyncio.run(twice())
    assert server.words() == ["open", "close"]
    asyncio.run(twice_more(agent, way))
    assert server.words() == ["open", "close"] * 2
    assert server.log[0][1:] == server.log[1][1:]


async def twice_more(agent, way):
    await ago(agent, way, "go")
    await ago(agent, way, "go")


def test_aclose_leaves_the_lifetimes_of_the_loop_at_once():
    server = Server()

    async def scenario():
        await asking(server).arun("go")
        await agentkit.aclose()
        assert server.words() == ["open", "close"]
        await asking(server).arun("go")
        agentkit.close()  # from the loop itself it cannot be waited for
        await server.left.wait()
        assert server.words() == ["open", "close"] * 2

    asyncio.run(scenario())


def test_runs_at_the_same_time_share_one_lifetime():
    server = Server()
    group = Toolset(lifetime=server.connect)

    async def scenario():
        agents = [Agent(Script(calls(ASK), says("done")), tools=[group]) for _ in range(5)]
        results = await asyncio.gather(*[agent.arun("go") for agent in agents])
        assert [told(one) for one in results] == [{"a": "sea!"}] * 5

    asyncio.run(scenario())
    assert server.words() == ["open", "close"]


def test_what_a_lifetime_gives_is_named_filtered_and_chosen_like_the_rest():
    server = Server()
    group = Toolset([find], lifetime=server.connect, prefix="s_", prepare=lambda _, tools: tools[::-1])
    model = Watching(calls(("a", "s_ask", '{"word": "sea"}')), says("done"))
    result = asyncio.run(Agent(model, tools=[group]).arun("go"))
    assert model.offered == [["s_ask", "s_find"]] * 2
    assert told(result) == {"a": "sea!"}
    assert names(group.tools) == ["s_find"]


@ways
def test_a_lifetime_that_cannot_be_entered_ends_the_run_and_the_next_tries_again(way):
    agentkit.close()
    tries = []

    @contextlib.asynccontextmanager
    async def connect():
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionRefusedError("nobody there")
        yield None

    agent = Agent(Script(says("done"), says("done")), tools=[Toolset([find], lifetime=connect)])

    async def both():
        with pytest.raises(ConnectionRefusedError):
            await ago(agent, way, "go")
        return await ago(agent, way, "go")

    if way.startswith("a"):
        assert asyncio.run(both()).output == "done"
    else:
        with pytest.raises(ConnectionRefusedError):
            go(agent, way, "go")
        assert go(agent, way, "go").output == "done"
    assert tries == [1, 1]
    agentkit.close()


@ways
def test_a_lifetime_that_hangs_does_not_outlast_the_runs_time(way):
    @contextlib.asynccontextmanager
    async def connect():
        await asyncio.Event().wait()
        yield None

    agent = Agent(Script(says("x")), tools=[Toolset([find], lifetime=connect)], limits=Limits(seconds=0.05))
    with pytest.raises(LimitReached) as caught:
        go(agent, way, "go")
    assert caught.value.limit == "seconds"
    agentkit.close()


@ways
def test_a_lifetime_that_raises_stop_iteration_ends_the_run_with_an_error(way):
    agent = Agent(Script(says("x")), tools=[Toolset([find], lifetime=lambda: next(iter([])))])
    with pytest.raises(RuntimeError, match="StopIteration"):
        go(agent, way, "go", limits=Limits(seconds=10))


def test_closing_a_stream_does_not_wait_for_a_lifetime_that_hangs():
    entered = threading.Event()

    @contextlib.asynccontextmanager
    async def connect():
        entered.set()
        await asyncio.Event().wait()
        yield None

    agent = Agent(Script(says("x")), tools=[Toolset([find], lifetime=connect)])
    stream = agent.stream("go")
    threading.Thread(target=lambda: entered.wait(10) and stream.close()).start()
    assert [type(event).__name__ for event in stream] == ["Note", "User", "CallModel"]
    agentkit.close()


def test_a_lifetime_that_ended_by_itself_is_entered_again(caplog):
    server = Server()

    @contextlib.asynccontextmanager
    async def frail():
        task = asyncio.current_task()
        async with server.connect() as tools:
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, task.cancel)
            yield tools

    async def scenario():
        group = Toolset(lifetime=frail)
        for _ in range(2):
            await Agent(Script(says("x")), tools=[group]).arun("go")
            await server.left.wait()

    asyncio.run(scenario())
    assert server.words() == ["open", "close"] * 2


def test_an_error_on_leaving_is_logged_and_harms_nobody(caplog):
    @contextlib.asynccontextmanager
    async def connect():
        yield None
        raise OSError("lost")

    async def scenario():
        await Agent(Script(says("x")), tools=[Toolset([find], lifetime=connect)]).arun("go")
        await agentkit.aclose()

    asyncio.run(scenario())
    assert "the lifetime of a toolset ended with an error" in caplog.text
