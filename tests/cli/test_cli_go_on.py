"""`agentkit run`, `resume`, `approve`, `fork` and `show`: options, runs that end early, and how they go on."""

import json
import os
import signal
import subprocess

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as some
from shell import COMMAND, CONTROL, ROOT, Terminal, agentkit, environment, here

from agentkit import ConfigurationError, ToolMessage, User
from agentkit.cli.schemas import Schema
from agentkit.sessions import Session, every

WEATHER = ROOT / "examples" / "weather.py"

SHOP = '''
import threading
from agentkit import *
from agentkit.errors import RateLimited

@tool(approval=True)
def refund(order: int, amount: float) -> str:
    """Refund an order."""
    return f"refunded {amount} for {order}"

@tool
def hang(key: str) -> str:
    """Hang for ever on a key."""
    print("hanging", flush=True)
    threading.Event().wait()

agent = Agent("sim:deepseek-flash", tools=[refund, hang])
'''


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.py"
    path.write_text(SHOP, encoding="utf-8")
    return path


@pytest.fixture
def waiting(shop):
    """A run that waits for approval, under its session's name."""
    done = here("run", shop, "Refund order 81 amount 40")
    assert (done.returncode, done.stdout) == (3, "")
    assert "refund(order=81, amount=40)" in done.stderr
    (session,) = every()
    assert f"agentkit approve {shop} {session.name} [--yes | --no REASON]" in done.stderr
    return session.name


def test_what_is_piped_in_stands_behind_the_prompt(tmp_path):
    done = agentkit("run", WEATHER, "Say the weather", "--json", stdin="in Oslo, as my notes have it\n")
    said = next(json.loads(line) for line in done.stdout.splitlines() if json.loads(line)["event"] == "User")
    assert said["data"]["content"] == "Say the weather\n\nin Oslo, as my notes have it"
    notes = tmp_path / "notes.txt"
    notes.write_text("in Lima", encoding="utf-8")
    for stdin, content in ((notes, "Weather\n\nin Lima"), (os.devnull, "Weather")):
        with open(stdin, "rb") as file:
            done = subprocess.run(
                [*COMMAND, "run", str(WEATHER), "Weather", "--json"],
                stdin=file,
                capture_output=True,
                env=environment(),
                cwd=ROOT,
                check=True,
            )
        said = next(json.loads(line) for line in done.stdout.splitlines() if json.loads(line)["event"] == "User")
        assert said["data"]["content"] == content


@pytest.mark.slow
def test_a_pipe_that_stays_open_is_told_to_be_waited_for():
    process = subprocess.Popen(
        [*COMMAND, "run", str(WEATHER), "Weather in"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    )
    assert process.stderr.readline().startswith(b"waiting for the end of standard input")
    out, _ = process.communicate(b"Oslo", timeout=30)
    assert process.returncode == 0
    assert b"Oslo" in out


def test_quiet_leaves_the_answer_alone():
    done = here("run", WEATHER, "Weather in Paris?", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Paris: 11 °C, light rain.\n", "")


def test_yes_approves_every_call(shop):
    done = here("run", shop, "Refund order 81 amount 40", "--yes")
    assert done.returncode == 0
    assert "refunded 40.0 for 81" in done.stdout


def test_a_limit_on_money_ends_the_run_before_it_is_spent(shop):
    done = here("run", shop, "Hello", "--max-cost", "0.0000001 USD", "--model", "sim:deepseek-flash")
    assert done.returncode == 4
    assert "cost" in done.stderr
    assert here("run", shop, "Hello", "--max-cost", "1").returncode == 2
    assert here("run", shop, "Hello", "--max-cost", "0.5 USD", "--model", "sim:deepseek-flash").returncode == 0


def test_calls_that_wait_are_decided_on_later(shop, waiting):
    done = here("approve", shop, waiting, "--yes")
    assert done.returncode == 0
    assert "refunded 40.0 for 81" in done.stdout
    done = here("approve", shop, waiting, "--yes")
    assert done.returncode == 2
    assert "nothing waits" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--no", "too much"], "the user did not approve it: too much"),
        (["--arguments", '{"order": 81, "amount": 1.5}'], "refunded 1.5 for 81"),
        (["--answer", "done by hand"], "done by hand"),
    ],
)
def test_a_call_is_denied_changed_or_answered_from_outside(shop, waiting, options, told):
    (call,) = [entry.data["call"] for entry in Session(waiting).entries() if getattr(entry, "kind", "") == "waiting"]
    assert here("approve", shop, waiting, "--call", call, *options).returncode == 0
    assert [entry.text for entry in Session(waiting).entries() if isinstance(entry, ToolMessage)][-1].endswith(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nobody can be asked here"),
        (["--yes", "--no", "x"], "one verdict"),
        (["--call", "nosuch", "--yes"], "no call `nosuch` waits"),
        (["--call", "nosuch"], "needs a verdict"),
        (["--arguments", "{"], "no JSON"),
        (["--arguments", "[]"], "one JSON object"),
    ],
)
def test_a_verdict_that_cannot_be_has_code_2(shop, waiting, options, told):
    done = here("approve", shop, waiting, *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert here("approve", shop, "nosuch", "--yes").returncode == 2


@pytest.mark.slow
def test_somebody_at_a_terminal_is_asked_by_run_and_by_approve(shop, waiting):
    with Terminal("approve", shop, waiting) as terminal:
        terminal.wait_for("refund(order=81, amount=40)")
        terminal.wait_for("approve?")
        terminal.type("y\r")
        terminal.wait_for("refunded 40.0 for 81")
        assert terminal.end() == 0
    with Terminal("run", shop, "Refund order 82 amount 4") as terminal:
        terminal.wait_for("approve?")
        terminal.type("n no\r")
        terminal.wait_for("did not approve it: no")
        assert terminal.end() == 0


def test_ctrl_c_says_how_to_go_on_and_that_works(shop):
    process = subprocess.Popen(
        [*COMMAND, "run", str(shop), "Hang on the key abc"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    )
    assert process.stdout.readline() == b"hanging\n"
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    (session,) = every()
    last = err.decode().splitlines()[-1]
    assert last == f"stopped in step 1; go on with `agentkit resume {shop} {session.name}`"
    done = here("resume", shop, session.name)
    assert done.returncode == 0
    assert "hang was interrupted" in done.stdout.replace("`", "")


@pytest.mark.slow
def test_a_session_goes_on_and_says_so_after_an_error(tmp_path):
    path = tmp_path / "moody.py"
    path.write_text(
        """
from agentkit import *
from agentkit.errors import RateLimited

@tool
def look(at: str) -> str:
    "Look at something."
    return "seen"

class Model:
    name = "script:model"
    def call(self, request):
        if isinstance(request.transcript.last, User):
            return Assistant(tool_calls=(ToolCall("1", "look", '{"at": "it"}'),), finish_reason="tool_calls")
        if AGAIN:
            return Assistant("I saw it.", finish_reason="stop")
        raise RateLimited("busy")

agent = Agent(Model(), tools=[look])
AGAIN = __import__("os").environ.get("AGAIN")
""",
        encoding="utf-8",
    )
    done = agentkit("run", path, "Look", "--session", "eyes")
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1] == f"error: busy (go on with `agentkit resume {path} eyes`) [rate-limited]"
    done = agentkit("resume", path, "eyes", AGAIN="1")
    assert (done.returncode, done.stdout) == (0, "I saw it.\n")
    done = agentkit("resume", path, "eyes", "Once more", AGAIN="1")
    assert (done.returncode, done.stdout) == (0, "I saw it.\n")
    assert [entry.text for entry in Session("eyes").entries() if isinstance(entry, User)] == ["Look", "Once more"]
    assert agentkit("resume", path, "nosuch").returncode == 2


def test_a_session_is_shown_forked_and_gone_on_with(tmp_path):
    assert here("run", WEATHER, "Weather in Paris?", "-s", "trip").returncode == 0
    done = here("show", "trip")
    assert done.returncode == 0
    assert "   1  user       Weather in Paris?\n" in done.stdout
    assert 'calls      weather(city="Paris")\n' in done.stdout
    assert not CONTROL.search(done.stdout)
    lines = [json.loads(line) for line in here("show", "trip", "--json").stdout.splitlines()]
    assert [line["position"] for line in lines] == list(range(len(lines)))
    assert lines[1]["entry"]["content"] == "Weather in Paris?"
    run = lines[0]["entry"]["data"]["id"]
    assert here("show", run).stdout == done.stdout
    assert here("fork", "trip", "other", "--at", len(lines) - 1).returncode == 0
    assert here("resume", WEATHER, "other", "And in Oslo?").returncode == 0
    assert len(Session("trip").entries()) == len(lines)
    assert here("show", "nosuch").returncode == 2


def test_what_was_sent_and_received_is_shown_byte_for_byte():
    assert here("show", "nosuch", "--raw").returncode == 2
    assert here("run", WEATHER, "Weather in Paris?", "-s", "trip").returncode == 0
    done = here("show", "trip", "--raw")
    assert done.returncode == 2
    assert "was not kept" in done.stderr
    done = here("run", WEATHER, "Weather in Paris?", "--log", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    run = events[0]["run"]
    assert f"agentkit show {run} --raw" in here("show", run).stderr
    lines = [json.loads(line) for line in here("show", run, "--raw").stdout.splitlines()]
    sent = [json.loads(line["body"]) for line in lines if "sent" in line]
    assert [one["messages"][-1]["role"] for one in sent] == ["user", "tool"]
    assert all("authorization" not in line.get("headers", {}) for line in lines)
    got = "".join(line.get("body", "") for line in lines if line.get("got") == 2)
    pieces = [json.loads(line[6:]) for line in got.splitlines() if line.startswith("data: {")]
    text = "".join(choice["delta"].get("content") or "" for piece in pieces for choice in piece["choices"])
    assert text == events[-1]["data"]["result"]["output"]
    assert [line["status"] for line in lines if "status" in line] == [200, 200]
    assert [line["end"] for line in lines if "end" in line] == ["", ""]


def test_a_schema_makes_the_answer_json_that_fits_it(tmp_path):
    path = tmp_path / "answer.json"
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    path.write_text(json.dumps(schema), encoding="utf-8")
    done = here("run", WEATHER, "Weather in Paris for 3 days", "--output-schema", path)
    assert done.returncode == 0
    jsonschema.validate(json.loads(done.stdout), schema)
    for text, told in (
        ("{", "cannot be read"),
        ("[]", "holds no JSON Schema"),
        ('{"if": {}}', "the keyword `if` is not known"),
        ('{"$ref": "#/$defs/x"}', "leads nowhere"),
    ):
        path.write_text(text, encoding="utf-8")
        done = here("run", WEATHER, "Weather", "--output-schema", path)
        assert done.returncode == 2
        assert told in done.stderr


def test_an_answer_that_never_fits_the_schema_has_code_6(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}', encoding="utf-8")
    agent = tmp_path / "stubborn.py"
    agent.write_text(
        """
from agentkit import *
class Model:
    name = "script:model"
    def call(self, request):
        return Assistant("", tool_calls=(ToolCall("1", "final_answer", '{"answer": {"n": "many"}}'),),
                         finish_reason="tool_calls")
agent = Agent(Model())
""",
        encoding="utf-8",
    )
    done = here("run", agent, "Count", "--output-schema", path)
    assert (done.returncode, done.stdout) == (6, "")


VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-3, 3)
    | some.sampled_from([0.5, 1.0, 2.5])
    | some.text("ab", max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = some.recursive(
    some.one_of(
        some.just({}),
        some.booleans(),
        some.builds(
            lambda kind: {"type": kind},
            some.sampled_from(["object", "array", "string", "integer", "number", "null", "boolean"]),
        ),
        some.builds(lambda value: {"const": value}, VALUES),
        some.builds(lambda values: {"enum": values}, some.lists(VALUES, min_size=1, max_size=3)),
        some.builds(
            lambda low, high: {"minimum": low, "exclusiveMaximum": high}, some.integers(-2, 2), some.integers(-2, 2)
        ),
        some.builds(lambda low, high: {"minLength": low, "maxItems": high}, some.integers(0, 2), some.integers(0, 2)),
        some.just({"uniqueItems": True}),
        some.just({"pattern": "^a"}),
        some.just({"multipleOf": 0.5}),
        some.builds(lambda names: {"required": names}, some.lists(some.sampled_from("abc"), unique=True)),
    ),
    lambda inner: some.one_of(
        some.builds(lambda of: {"items": of}, inner),
        some.builds(lambda first, rest: {"prefixItems": [first], "items": rest}, inner, inner),
        some.builds(lambda of, rest: {"properties": {"a": of}, "additionalProperties": rest}, inner, inner),
        some.builds(lambda of: {"patternProperties": {"[ab]": of}}, inner),
        some.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
        some.builds(lambda one, other: {"oneOf": [one, other]}, inner, inner),
        some.builds(lambda one, other: {"allOf": [one, other]}, inner, inner),
        some.builds(lambda of: {"not": of}, inner),
        some.builds(lambda of: {"$ref": "#/$defs/x", "$defs": {"x": of}}, inner),
    ),
    max_leaves=4,
)


@given(SCHEMAS.filter(lambda schema: isinstance(schema, dict) and "$defs" not in json.dumps(schema)[10:]), VALUES)
def test_a_schema_takes_what_jsonschema_takes(schema, value):
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (not list(Schema(schema, "it").problems(value))) == fits


@given(SCHEMAS, VALUES)
def test_what_a_reference_leads_to_is_checked(inner, value):
    schema = {"$ref": "#/$defs/x", "$defs": {"x": {"items": inner if "$defs" not in json.dumps(inner) else True}}}
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (not list(Schema(schema, "it").problems(value))) == fits


@pytest.mark.parametrize("schema", [{"then": {}}, {"items": 3}, {"properties": {"a": {"contains": {}}}}])
def test_a_schema_that_cannot_be_checked_is_an_error_at_once(schema):
    with pytest.raises(ConfigurationError, match=r"not known|no schema"):
        Schema(schema, "it")
