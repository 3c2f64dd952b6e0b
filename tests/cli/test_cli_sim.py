"""`agentkit sim`: its faults, its brains, and what it says of options that cannot be."""

import json
import re
import subprocess
import urllib.error
import urllib.request

import openai
import pytest
from shell import COMMAND, ROOT, environment, here

from agentkit.simulator.faults import FAULTS

SCRIPT = """
[[reply]]
text = "From the script."
"""
FUNCTION = """
def answer(turn):
    return f"You said: {turn.messages[-1].text}"

number = 3
"""


def ask(url, text="Hello", **headers):
    body = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": text}],
        "thinking": {"type": "disabled"},
    }
    request = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": "Bearer k", "Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Served:
    """`agentkit sim` in a process of its own, on a free port."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [*COMMAND, "sim", "--port", "0", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=ROOT,
            text=True,
        )

    def __enter__(self):
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().removeprefix("export OPENAI_BASE_URL=").strip()
        assert self.url.startswith("http://127.0.0.1:"), self.process.communicate()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.errors = self.process.communicate(timeout=30)[1]


def test_faults_are_met_by_rule_and_by_header_and_told():
    with Served("--fault", "503@1", "--fault", "moderation@3", "--log") as served:
        assert ask(served.url)[0] == 503
        assert ask(served.url)[0] == 200
        assert "Content Exists Risk" in ask(served.url)[1]
        assert ask(served.url, **{"X-Sim-Fault": "429"})[0] == 429
    lines = served.errors.splitlines()
    assert any(line.startswith("1 POST /chat/completions 503 (503) {") for line in lines)
    assert "2 POST /chat/completions 200" in lines


def test_replies_come_from_a_script_or_a_function(tmp_path):
    script, function = tmp_path / "script.toml", tmp_path / "brain.py"
    script.write_text(SCRIPT)
    function.write_text(FUNCTION)
    with Served("--script", script) as served:
        assert ask(served.url) == (200, "From the script.")
        assert ask(served.url)[0] == 400
    assert f"its replies come from `{script}`" in served.errors
    with Served("--brain", f"{function}:answer") as served:
        assert ask(served.url, "Boo") == (200, "You said: Boo")


@pytest.mark.parametrize(
    ("profile", "base"),
    [("deepseek", ""), ("lkeap", "/v1"), ("openrouter", "/api/v1"), ("openai-compatible+llama.cpp", "/v1")],
)
def test_the_two_lines_and_the_model_name_are_those_of_the_profile(profile, base):
    with Served("--profile", profile) as served:
        assert served.url.removeprefix("http://127.0.0.1:").lstrip("0123456789") == base
        assert served.process.stdout.readline() == "export OPENAI_API_KEY=sim\n"
        told = served.process.stderr.readline() + served.process.stderr.readline()
        model = re.search("the model name `(.+)`:", told)[1]
        with openai.OpenAI(base_url=served.url, api_key="sim", max_retries=0) as client:
            completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "6 * 7?"}])
    assert "42" in completion.choices[0].message.content


def test_all_faults_are_listed_with_what_they_do():
    done = here("sim", "--list-faults")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for name, fault in FAULTS.items():
        place = next(number for number, line in enumerate(lines) if line.startswith(f"  {name} "))
        assert fault.what in lines[place]
        for number, option in enumerate(fault.options, 1):
            assert lines[place + number].strip().startswith(f"{option.name}=")
            assert lines[place + number].endswith(f": {option.what}")
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--fault", "429:x"], "fault `429:x`: the rate `x` is no number from 0 to 1"),
        (["--fault", "staal"], "there is no fault `staal`; did you mean `stall`?"),
        (["--script", "nowhere.toml"], "cannot read the script `nowhere.toml`: No such file or directory"),
        (["--replay", "nowhere"], "there is no folder `nowhere` to replay"),
        (["--brain", "nowhere.py:answer"], "`nowhere.py` is not there"),
        (["--script", "a", "--replay", "b"], "one brain can answer, and there are `--script` and `--replay`"),
        (["--time-scale", "-1"], "`time_scale=-1.0`: it must be 0 or more, and finite"),
        (["--time-scale", "inf"], "`time_scale=inf`: it must be 0 or more, and finite"),
    ],
)
def test_what_cannot_be_is_said(options, told):
    done = here("sim", *options)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_brain_that_is_no_function_is_said_to_be_so(tmp_path):
    path = tmp_path / "brain.py"
    path.write_text(FUNCTION)
    for target in (f"{path}:number", f"{path}:nothing", str(path)):
        done = here("sim", "--brain", target)
        assert done.returncode == 2
        assert f"`--brain {target}` names no function" in done.stderr
