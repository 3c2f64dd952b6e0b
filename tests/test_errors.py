"""Errors: what each says, its stable code, and the page that has a section for each."""

import ast
import contextlib
import copy
import json
import pickle
import re
import socket
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import httpx
import pytest
from cli.shell import here
from test_docs import fits
from wire import completion, serving

from agentkit import Agent, Assistant, Image, Limits, ToolError, errors, tool
from agentkit.approval import Pending
from agentkit.messages import ToolMessage, User, dump, load
from agentkit.models import catalog, open_model
from agentkit.models.limiter import Limiter
from agentkit.models.transport import Patience
from agentkit.models.transport.by_aiohttp import Aiohttp
from agentkit.models.transport.faults import explained
from agentkit.sessions import Session
from agentkit.testing import Script, call
from agentkit.threads import Stop
from agentkit.transcript import Transcript

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### ([a-z-]+)\n\n`(\w+)`: (.+?)\n\n```text\n(.+?)^```$", re.M | re.S)
SECTIONS = {code: (kind, words, shown) for code, kind, words, shown in SECTION.findall(PAGE)}
CLASSES = sorted(
    (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.AgentkitError)),
    key=lambda one: one.__name__,
)


def stated() -> set[str]:
    """Every code that stands in the source."""
    found: set[str] = set()
    for path in ROOT.glob("agentkit/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.update(codes_in(node, path))
            if isinstance(node, ast.FunctionDef) and node.name == "_code" and path.name == "failures.py":
                given = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
                found.update(str(one.value) for one in given if isinstance(one, ast.Constant) and one.value)
    return found | {one.code for one in CLASSES}


def codes_in(node: ast.Call, path: Path) -> Iterator[str]:
    """What a call that makes an error of ours gives as its `code`."""
    name = ast.unparse(node.func).rsplit(".", 1)[-1]
    for keyword in node.keywords:
        if keyword.arg == "code" and name in {one.__name__ for one in CLASSES}:
            assert isinstance(keyword.value, ast.Constant), f"{path}:{node.lineno}: a code stands there in full"
            yield str(keyword.value.value)


def test_every_code_has_a_section_and_every_section_a_code() -> None:
    headings = re.findall(r"^### ([a-z]+(?:-[a-z]+)*)$", PAGE, re.M)
    assert sorted(headings) == sorted(stated())
    assert headings == [one for one in headings if one in SECTIONS], "a section has its class, its words, an example"
    assert sorted(SECTIONS) == sorted(PROVOKED), "and what shows that the example is one"


def test_what_agentkit_refuses_has_a_narrower_code_than_that_of_the_class() -> None:
    wide = []
    for path in sorted(ROOT.glob("agentkit/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ConfigurationError")
            if named and "code" not in {keyword.arg for keyword in node.keywords}:
                wide.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wide, 'give it a `code="…"` of docs/reference/errors.md'


def test_codes_are_short_and_do_not_change_their_meaning() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+){0,2}", code) and len(code) <= 24 for code in stated())
    own = {one.__name__: one.code for one in CLASSES}
    assert len(set(own.values())) == len(own), "each class has one of its own"
    assert own["Unauthorized"] == "unauthorized"  # and so on: what was released stays
    assert own["InsufficientBalance"] == "no-balance"


# What is raised, for each section.


@tool
def refund(order: int) -> str:
    """Refund an order."""
    raise ToolError(f"order {order} is too old")


@tool(approval=True)
def pay(order: int) -> str:
    """Pay for an order."""
    return "paid"


def answering(status, message="", code=None, kind=None, body=None):
    """A run against an endpoint that answers so."""
    told = json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()
    data = told if body is None else body

    def handler(exchange):
        exchange.reply(data, status=f"{status} Reason")

    def provoke(tmp_path):
        with serving(handler) as server:
            model = open_model("openai:m", base_url=server.url, api_key="k", retries=0)
            Agent(model, tools=[pay]).run("Hello")

    return provoke


def silent(tmp_path):
    with serving(lambda exchange: exchange.wait_until_left()) as server:
        Agent(
            open_model("openai:m", base_url=server.url, api_key="k", retries=0, timeout=Patience(first_byte=0.1))
        ).run("Hello")


def breaking(tmp_path):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + completion("half")[:40])
        exchange.connection.shutdown(socket.SHUT_RDWR)

    with serving(handler) as server:
        Agent(open_model("openai:m", base_url=server.url, api_key="k", retries=0)).run("Hello")


def unreachable(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        Agent(open_model("openai:m", base_url=url, api_key="k", retries=0)).run("Hello")


def untrusted(tmp_path):
    broken = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    raise explained(broken, "127.0.0.1:8000", Patience())


def full():
    """The places of an endpoint that has told it takes one request at once."""
    limiter = Limiter()
    with contextlib.suppress(errors.RateLimited), limiter.place(), limiter.place():
        raise errors.RateLimited("busy")
    return limiter


def no_place(tmp_path):
    limiter = full()
    with limiter.place(), limiter.place(until=0.0):
        pass


def cancelled(tmp_path):
    limiter, stop = full(), Stop()
    stop.set()
    with limiter.place(), limiter.place(stop=stop):
        pass


def stream_open(tmp_path):
    with Agent(Script(["hello"])).stream("Hello") as stream:
        _ = stream.result


def stream_closed(tmp_path):
    stream = Agent(Script(["hello"])).stream("Hello")
    stream.close()
    _ = stream.result


def busy(tmp_path):
    session = Session("talk", file=tmp_path / "s.db")
    with session.hold():
        Agent(Script(["hello"])).run("Hello", session=session)


def locked(tmp_path):
    session = Session("talk", file=tmp_path / "s.db")
    Agent(Script(["one"])).run("a", session=session)
    other = sqlite3.connect(session.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        Agent(Script(["two"])).run("b", session=session)
    finally:
        other.close()


def exists(tmp_path):
    session = Session("talk", file=tmp_path / "s.db")
    Agent(Script(["one"])).run("a", session=session)
    session.fork("talk2")
    session.fork("talk2")


def foreign(tmp_path):
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("CREATE TABLE x (y)")
    db.close()
    Session("talk", file=tmp_path / "s.db").entries()


def paused():
    return Agent(Script([call("pay", order=81), "done"]), tools=[pay])


def both(tmp_path):
    session = Session("talk", file=tmp_path / "s.db")
    Agent(Script(["one"])).run("a", session=session)
    Agent(Script(["one"])).run("b", session=session, history=[User("c")])


def changed(tmp_path):
    saved = paused().run("Pay for order 81.").pending.dump(key="k" * 16)
    Pending.load(saved.replace(b"81", b"82"), key="k" * 16)


def waiting_for_another(tmp_path):
    agent = paused()
    agent.resume(agent.run("Pay for order 81."), {"call_9": True})


def undecided(tmp_path):
    agent = paused()
    result = agent.run("Pay for order 81.")
    agent.resume(result, {result.pending[0].id: 3})


def iterated(tmp_path):
    for _ in Agent(Script(["hello"])).astream("Hello"):
        pass


def own_catalog(tmp_path):
    (tmp_path / "models.toml").write_text("[[deepseek.models]]\nname = 'mine'\nwindow = 1\n")
    catalog.add(tmp_path / "models.toml")


def no_aiohttp(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "aiohttp", None)  # as where it is not installed
        Aiohttp(None, True, None)


def no_log(tmp_path):
    Agent(Script(["hello"])).run("Hello", session="talk")
    return here("show", "talk", "--raw")


def schemas(tmp_path):
    (tmp_path / "answer.json").write_text("[]")
    (tmp_path / "shop.py").write_text("from agentkit import Agent\nagent = Agent('sim:deepseek-flash')\n")
    return here("run", tmp_path / "shop.py", "Hello", "--output-schema", tmp_path / "answer.json")


def in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return here("sim", "--port", taken.getsockname()[1])


def command(*arguments):
    """What the command line says; it ends with the code."""
    return lambda tmp_path: here(*[str(one).replace("TMP", str(tmp_path)) for one in arguments])


def run(*args, **options):
    return lambda tmp_path: Agent(*args, **options).run("Hello")


def raises(error):
    def provoke(tmp_path):
        raise error

    return provoke


FLASH = "sim:deepseek-flash"
PROVOKED = {
    # before a request
    "no-model": lambda tmp_path: open_model(),
    "unknown-model": run("deepseek:deepseek-flush"),
    "no-key": run("deepseek:deepseek-flash"),
    "bad-address": lambda tmp_path: open_model("openai:m", base_url="127.0.0.1:8000/v1"),
    "bad-header": lambda tmp_path: Agent(open_model("openai:m", base_url="http://127.0.0.1:1", api_key="k\n")).run(
        "Hello"
    ),
    "bad-transport": lambda tmp_path: open_model("sim:deepseek-flash", transport="requests"),
    "no-extra": no_aiohttp,
    "bad-catalog": own_catalog,
    "bad-value": lambda tmp_path: Limits(steps=-1),
    "model-cannot": lambda tmp_path: Agent("sim:deepseek-r1:deepseek-reasoner").run(
        [Image("https://example.org/a.png")]
    ),
    "no-function-calling": lambda tmp_path: Agent(
        open_model("sim:deepseek-r1:deepseek-reasoner", tool_mode="native"), tools=[pay]
    ).run("Hello"),
    "too-many-tools": run(FLASH, tools=[tool(lambda: "", name=f"tool_{n}", description="x") for n in range(129)]),
    "no-price": lambda tmp_path: Agent(
        open_model("openai:m", base_url="http://127.0.0.1:1", api_key="k"), limits=Limits(cost="0.10 USD")
    ).run("Hello"),
    "two-currencies": lambda tmp_path: Limits(cost="0.10 USD", unpriced="2 CNY"),
    "not-json": lambda tmp_path: dump([ToolMessage("c1", "look", "x", data=object())]),
    "no-prompt": lambda tmp_path: Agent(FLASH).run(""),
    "bad-history": lambda tmp_path: Agent(FLASH).run("Hello", history=["Hello"]),
    "sync-or-async": iterated,
    # tools
    "bad-tool": lambda tmp_path: tool(lambda city: city),
    "duplicate-tool": run(FLASH, tools=[pay, tool(refund.function, name="pay")]),
    "tool-error": lambda tmp_path: refund(81),
    # endpoints
    "unauthorized": answering(401, "Authentication Fails, Your api key: ****-key is invalid"),
    "no-balance": answering(402, "Insufficient Balance"),
    "no-quota": answering(400, "not enough quota", "20031"),
    "rejected": answering(400, "Invalid max_tokens value"),
    "not-served": answering(400, "Model Not Exist"),
    "tools-refused": answering(400, "m does not support Function Calling"),
    "context-overflow": answering(
        400, "This model's maximum context length is 9 tokens. However, you requested 12 tokens"
    ),
    "content-refused": answering(400, "Content Exists Risk"),
    "unavailable": answering(503, "Service is too busy."),
    "rate-limited": answering(429, "Your current concurrency is 40, which exceeds your concurrency limit of 39"),
    "no-place": no_place,
    "timed-out": silent,
    "connection-lost": breaking,
    "no-connection": unreachable,
    "untrusted-certificate": untrusted,
    "unreadable": answering(200, body=b"<html>hello</html>"),
    "empty-reply": answering(200, body=b""),
    # how runs end
    "limit-reached": run(Script([call("refund", order=81), "done"]), tools=[refund], limits=Limits(steps=1)),
    "truncated": run(Script([Assistant("half", finish_reason="length")])),
    "output-invalid": run(Script(["many", "many", "many"]), output=int),
    "cancelled": cancelled,
    "stream-open": stream_open,
    "stream-closed": stream_closed,
    # sessions and approvals
    "session-busy": busy,
    "session-locked": locked,
    "no-session": lambda tmp_path: Session("talk", file=tmp_path / "s.db").entries(),
    "session-exists": exists,
    "session-file": foreign,
    "bad-saved": lambda tmp_path: load(b'[{"role": "usr"}]'),
    "pending-changed": changed,
    "signing-key": lambda tmp_path: paused().run("Pay for order 81.").pending.dump(key="short"),
    "nothing-waits": waiting_for_another,
    "bad-verdict": undecided,
    # the command line, tests, the simulator
    "bad-target": command("run", "TMP/shop.py", "Hello"),
    "bad-option": command("sim", "--script", "a", "--replay", "b"),
    "bad-path": command("sessions", "import", "talk", "TMP/talk.jsonl"),
    "bad-schema": schemas,
    "no-log": no_log,
    "bad-script": lambda tmp_path: Script([3]),
    "bad-simulator": lambda tmp_path: Agent("sim:deepseek-r9:m").run("Hello"),
    "no-port": in_use,
    # classes
    "error": raises(errors.AgentkitError("the shop is closed")),
    "configuration": raises(errors.ConfigurationError("the shop `north` has no till: name another in `SHOP`")),
    "model-error": raises(errors.ModelError("`own:model` gave no answer", model="own:model")),
    "run-error": raises(errors.RunError("the shop closed in the middle of the run")),
}


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch, tmp_path):
    for name in ("AGENTKIT_MODEL", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))


def provoked(code, tmp_path):
    """The error that comes of it, and what is said of it."""
    try:
        done = PROVOKED[code](tmp_path)
    except errors.AgentkitError as error:
        return error.code, type(error).__name__, str(error)
    found = re.fullmatch(r"error: (.*) \[([a-z-]+)\]", done.stderr.strip(), re.S)
    assert found, done.stderr
    return found[2], "ConfigurationError", found[1]


SLOW = {"session-locked"}  # SQLite waits ten seconds for its lock


@pytest.mark.parametrize("code", [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in PROVOKED])
def test_the_example_of_a_section_is_what_happens(code, tmp_path):
    kind, _, shown = SECTIONS[code]
    found, name, said = provoked(code, tmp_path)
    assert (found, name) == (code, kind)
    assert fits(shown, said), said


# Errors travel: between processes, into logs, into copies.


def travelled(error):
    return [pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)]


FULL = [
    errors.ConfigurationError("no key", code="no-key"),
    errors.RateLimited("busy", model="a:m", attempts=4, status=429, retry_after=2.5),
    errors.Rejected("no tools", model="a:m", attempts=1, status=400, code="tools-refused"),
    errors.LimitReached("over", limit="steps", text="half", partial=Assistant("half", finish_reason="length")),
    errors.Truncated("cut", finish_reason="length", text="half", partial=Assistant("half", finish_reason="length")),
    errors.SessionBusy("held", code="session-locked"),
    ToolError("too old"),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_an_error_is_pickled_and_copied_with_all_that_it_holds(error):
    error.transcript = Transcript([User("Hello"), Assistant("half")])
    error.add_note("in the shop")
    for one in travelled(error):
        assert type(one) is type(error)
        assert (str(one), one.code, list(one.transcript)) == (str(error), error.code, list(error.transcript))
        kept = {name: value for name, value in vars(error).items() if name != "transcript"}
        assert {name: value for name, value in vars(one).items() if name != "transcript"} == kept


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_can_be_made_of_a_message_alone_and_takes_a_narrower_code(kind):
    assert (str(kind("what happened")), kind("what happened").code) == ("what happened", kind.code)
    narrow = kind("what happened", code="no-key")
    assert [one.code for one in (narrow, *travelled(narrow))] == ["no-key"] * 4
    assert kind.code != "no-key", "that of the class is as it was"


def over(prompt):
    """A run that ends at its limit, with a cause and what was said."""
    script = Script([call("refund", order=81), "done"])
    try:
        Agent(script, tools=[refund], limits=Limits(steps=1)).run(prompt)
    except errors.LimitReached as error:
        raise errors.RunError(f"the refund failed: {error}") from error


@pytest.mark.slow
def test_the_error_of_a_run_comes_whole_out_of_another_process():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = pool.submit(limited, "Refund order 81.").exception(60)
    assert isinstance(error, errors.LimitReached)
    assert (error.code, error.limit) == ("limit-reached", "steps")
    assert [one.role for one in error.transcript.messages()] == ["user", "assistant", "tool"]
    done = Agent(Script(["done"])).run(None, history=error.transcript)
    assert done.output == "done"


def limited(prompt):
    script = Script([call("refund", order=81), "done"])
    Agent(script, tools=[refund], limits=Limits(steps=1)).run(prompt)


def test_raise_from_keeps_the_cause_and_what_it_holds():
    with pytest.raises(errors.RunError) as caught:
        over("Refund order 81.")
    cause = caught.value.__cause__
    assert isinstance(cause, errors.LimitReached)
    assert (cause.limit, len(cause.transcript.messages())) == ("steps", 3)
    assert (caught.value.code, caught.value.transcript) == ("run-error", None)


def test_the_text_of_an_error_is_its_message_alone():
    error = errors.ConfigurationError("no key", code="no-key")
    assert (str(error), repr(error)) == ("no key", "ConfigurationError('no key')")
