"""`agentkit doctor`: what it finds of an endpoint is what the endpoint's profile says."""

import json

import pytest
from shell import CONTROL, here

from agentkit import Agent
from agentkit.cli.probes import Reply
from agentkit.models.catalog import parse
from agentkit.models.open import open_model
from agentkit.simulator import Simulator
from agentkit.simulator.endpoints import profile_named
from agentkit.simulator.server import running

EXAMINED = [
    ("deepseek", "deepseek-flash"),
    ("deepseek", "deepseek-chat"),
    ("deepseek-v3.2", "deepseek-reasoner"),
    ("deepseek-v3.2-exp", "deepseek-chat"),
    ("deepseek-r1", "deepseek-reasoner"),
    ("lkeap", "deepseek-r1"),
    ("lkeap", "deepseek-v3"),
    ("lkeap", "deepseek-v3.1-terminus"),
    ("evolink", "deepseek-chat"),
    ("evolink", "deepseek-reasoner"),
    ("openai-compatible", "deepseek-v3.2"),
    ("vllm", "any-name"),
    ("sglang", "any-name"),
    ("llama.cpp", "any-name"),
    ("ollama", "any-name"),
    ("openrouter", "deepseek/deepseek-v3.2"),
    ("openai-compatible+think-tags", "any-name"),
    ("llama.cpp+no-jinja", "any-name"),
]


def examined(profile, model, monkeypatch, *options):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-a-test")
    with running(Simulator(profile)) as url:
        return url, here("doctor", f"{url}{profile_named(profile).base}", model, *options)


def thinking_of(profile, served):
    can_be_asked = profile.thinking_field and served.toggle
    if served.thinking:
        return "on" if can_be_asked else "always"
    return "off" if can_be_asked else "never"


@pytest.mark.parametrize(("name", "model"), EXAMINED)
def test_what_is_found_agrees_with_the_profile(name, model, monkeypatch):
    profile = profile_named(name)
    served = profile.served(model)
    _, done = examined(name, model, monkeypatch, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    row, found = told["row"], told["found"]
    tools = served.tools == "yes" and "tools" not in served.refuses
    assert found["models"] == ("yes" if profile.listing else "no")
    assert row["tools"] is tools
    assert found["parallel"] == ("yes" if tools else "no")
    if tools:
        assert set(row["choices"]) == set(served.choices)
        if row["thinking"] in ("on", "always") and set(row["choices"]) & {"required", "named"}:
            assert row["forced_thinking"] is served.forced_choice
    no_json = served.json != "yes" or "response_format" in served.refuses
    assert ("json_object" in row["formats"]) is not no_json
    assert row["thinking"] == thinking_of(profile, served)
    assert row.get("tags", False) is ("think-tags" in name)
    assert row["prefix"] is served.prefix
    assert (found["stream"], found["usage in stream"], found["stop"]) == ("yes", "yes", "yes")
    if served.reasoning_back in ("tool_turns", "current_turn") and served.thinking:
        assert row["reasoning"] == "always"


def test_the_row_is_written_into_a_catalog_and_works_from_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOUSE_KEY", "sk-secret-of-a-test")
    monkeypatch.delenv("AGENTKIT_CATALOG", raising=False)
    path = tmp_path / "own.toml"
    with running(Simulator("deepseek", key="sk-secret-of-a-test")) as url:
        arguments = (url, "deepseek-flash", "--key", "HOUSE_KEY", "--name", "house", "--write", path)
        done = here("doctor", *arguments)
        assert done.returncode == 0, done.stderr
        assert f"AGENTKIT_CATALOG={path} agentkit chat -m house:deepseek-flash" in done.stderr
        assert "sk-secret" not in done.stdout + done.stderr + path.read_text(encoding="utf-8")
        assert not CONTROL.search(done.stdout + done.stderr)
        house = parse(path.read_text(encoding="utf-8"), "own.toml")["house"]
        assert (house.base_url, house.key, house.beta) == (url, "HOUSE_KEY", "/beta")
        assert (house.models[0].thinking, house.models[0].reasoning) == ("on", "always")

        again = here("doctor", *arguments)
        assert again.returncode == 2
        assert "has a row for `house:deepseek-flash` already" in again.stderr
        assert here("doctor", url, "deepseek-chat", *arguments[2:]).returncode == 0
        assert len(parse(path.read_text(encoding="utf-8"), "own.toml")["house"].models) == 2

        monkeypatch.setenv("AGENTKIT_CATALOG", str(path))
        assert Agent(open_model("house:deepseek-flash")).run("What is 6 * 7?").text == "6 * 7 = 42."


def test_an_endpoint_that_refuses_says_why_and_shows_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-wrong-key-of-a-test")
    with running(Simulator("deepseek", key="another")) as url:
        done = here("doctor", url, "deepseek-flash")
    assert done.returncode == 5
    assert "401" in done.stderr
    assert "sk-a-wrong" not in done.stdout + done.stderr
    monkeypatch.delenv("OPENAI_API_KEY")
    with running(Simulator("deepseek")) as url:
        assert "`OPENAI_API_KEY` is not set" in here("doctor", url, "deepseek-flash").stderr


def test_an_address_where_nobody_listens_is_no_defect():
    done = here("doctor", "http://127.0.0.1:9/v1", "any")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert here("doctor", "ftp://x", "any").returncode == 2
    assert here("doctor", "http://127.0.0.1:9/v1").returncode == 2


def test_a_busy_endpoint_is_asked_again(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    with running(Simulator("openai-compatible", faults=["429(retry_after=0)@2"])) as url:
        done = here("doctor", f"{url}/v1", "any", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["found"]["chat"] == "yes"


def test_the_installation_is_looked_at_and_keys_are_never_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-secret-of-a-test")
    monkeypatch.setenv("AGENTKIT_MODEL", "deepseek:deepseek-flash")
    done = here("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sk-secret" not in done.stdout
    told = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert told["DEEPSEEK_API_KEY"].endswith(" set")
    assert told["LKEAP_API_KEY"].endswith("not set")
    assert "6 * 7 = 42." in told["a run on the simulator"]
    assert {one["what"] for one in json.loads(here("doctor", "--json").stdout)} >= {"python", "AGENTKIT_MODEL"}

    monkeypatch.delenv("DEEPSEEK_API_KEY")
    done = here("doctor")
    assert done.returncode == 2
    assert "`DEEPSEEK_API_KEY` is not set" in done.stdout
    monkeypatch.setenv("AGENTKIT_MODEL", "nosuch")
    assert here("doctor").returncode == 2
    monkeypatch.setenv("AGENTKIT_CATALOG", str(tmp_path / "none.toml"))
    assert here("doctor").returncode == 2


def test_a_reply_that_was_cut_is_told_to_be_so():
    reply = Reply(200, '{"choices": [{"finish_reason": "length", "message": {"content": ""}}]}')
    assert "was cut" in reply.why
    assert Reply(200, '{"choices": [{"finish_reason": "stop"}]}').why == ""
    assert Reply(404, "<html>").why == "404: <html>"
    assert Reply(0, "nobody listens").why == "no answer: nobody listens"
    assert Reply(200, '{"choices": [[]]}').message == {}
