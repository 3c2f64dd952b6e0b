"""The samples of the endpoints' own pages run against their profiles, with only address and key changed.

The samples are read from ../shared/seeds when the tests run. What the copies of the pages lost is put back first: in
the first one, backslashes are doubled, one sample has lost its indentation, one request a comma, and two have an
apostrophe within the shell's own. The second page breaks off in the midst of one sample, whose whole is on the third
page; the fourth has none.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from simulator_requests import RECORDED

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan, Turn
from agentkit.simulator.server import running

SEEDS = RECORDED.parents[1] / "seeds"
PROFILES = {"000": "lkeap", "001": "deepseek-r1", "002": "deepseek-v3.2-exp", "003": "evolink"}
LEVELS = "0111111111110101023330" + "2023023302332330" + "01212"
"""How deep the lines of the sample without indentation stand, from `def main():` on; blank ones anyhow."""

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="needs ../shared")


def pages() -> dict[str, str]:
    """The text of each page by its number, backslashes as they were."""
    found = {path.name[:3]: path.read_text(encoding="utf-8") for path in sorted(SEEDS.glob("*.txt"))}
    return {number: text.replace("\\\\", "\\") if number == "000" else text for number, text in found.items()}


def python_samples(text: str) -> list[str]:
    """Each longest run of lines from `from openai import` on that is Python."""
    lines = text.split("\n")
    found: list[str] = []
    for start, line in enumerate(lines):
        if line != "from openai import OpenAI":
            continue
        first = start - 1 if start and re.fullmatch(r"import \w+", lines[start - 1]) else start
        for end in range(min(len(lines), start + 60), start, -1):
            sample = "\n".join(indented(lines[first:end]))
            try:
                ast.parse(sample)
            except SyntaxError:
                continue
            if ".create(" in sample:
                found.append(sample)
            break
    return found


def indented(lines: list[str]) -> list[str]:
    """Lines with the indentation that the one sample lost."""
    if "def main():" not in lines:
        return lines
    start = lines.index("def main():")
    body = lines[start : start + len(LEVELS)]
    levels = [int(level) for level in LEVELS[: len(body)]]
    deep = ["    " * level + line for level, line in zip(levels, body, strict=True)]
    return [*lines[:start], *deep, *lines[start + len(body) :]]


def curl_samples(text: str) -> list[str]:
    return re.findall(r"^curl .*?^\s*\}'$", text, re.MULTILINE | re.DOTALL)


def mended(sample: str) -> str:
    """A request with the comma that one lacks, and apostrophes within the shell's as the shell wants them."""
    sample = re.sub(r'(\(get_weather\)[^\n]*")\n"tool_calls"', r'\1,\n"tool_calls"', sample)
    head, mark, data = sample.partition(" '{")
    return head + mark + data[:-1].replace("'", r"'\''") + "'"


def node_samples(text: str) -> list[str]:
    return re.findall(r"^import OpenAI from.*?^main\(\);$", text, re.MULTILINE | re.DOTALL)


def moved(sample: str, url: str) -> str:
    """A sample with another address and key."""
    sample = re.sub(r"https://api\.deepseek\.com|https://api\.lkeap\.tencentcloud\.com", url, sample)
    sample = re.sub(r"(api_key\s*=\s*|apiKey: )(['\"])[^'\"]*['\"]", r"\1\2sk-sample\2", sample)
    return re.sub(r"Bearer [^\"]*\"", 'Bearer sk-sample"', sample)


def samples(kind: str) -> list[object]:
    """All samples of a kind, with the number of their page."""
    cut = {"python": python_samples, "curl": curl_samples, "node": node_samples}[kind]
    found = [
        pytest.param(page, sample, id=f"{page}-{number}")
        for page, text in (pages() if SEEDS.is_dir() else {}).items()
        for number, sample in enumerate(cut(text))
    ]
    return found or [pytest.param("", "", marks=pytest.mark.skip(reason="needs ../shared"))]


def paris(turn: Turn) -> Plan:
    """What answers on LKEAP's page: coordinates that no rule can know, and then what the tool said."""
    if turn.tools and turn.messages[-1].role == "user":
        return Plan(calls=(Call("get_weather", '{"latitude": 48.8566, "longitude": 2.3522}'),))
    if turn.messages[-1].role == "tool":
        return Plan(f"It is {turn.messages[-1].text} degrees in Paris.")
    return Plan("9.9 is greater.", reasoning="0.9 is more than 0.11.")


def simulator(page: str) -> Simulator:
    return Simulator(PROFILES[page], brain=paris if page == "000" else None, key="sk-sample")


def run(command: list[str], **options: object) -> str:
    """What a program prints, which must end well."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=60, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_samples_are_found() -> None:
    counts = {
        page: (len(python_samples(text)), len(curl_samples(text)), len(node_samples(text)))
        for page, text in pages().items()
    }
    assert counts == {"000": (3, 5, 0), "001": (1, 1, 1), "002": (5, 1, 0), "003": (0, 0, 0)}


@pytest.mark.parametrize(("page", "sample"), samples("python"))
def test_a_python_sample_runs(page: str, sample: str, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    one = simulator(page)
    with running(one) as url:
        script = tmp_path / "sample.py"
        script.write_text(moved(sample, url), encoding="utf-8")
        printed = run([sys.executable, "-X", "utf8", str(script)], cwd=tmp_path)
    assert [entry.status for entry in one.log] == [200] * sample.count(".create(")
    assert "error:" not in printed
    if page == "000":
        assert "9.9 is greater." in printed
        assert "0.9 is more than 0.11." in printed
    elif "print(" in sample:
        assert printed.strip()


@pytest.mark.parametrize(("page", "sample"), samples("curl"))
def test_a_curl_sample_runs(page: str, sample: str) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("needs curl and bash")
    with running(simulator(page)) as url:
        body = run(["bash", "-c", moved(mended(sample), url).replace("curl ", "curl --silent --show-error --fail ", 1)])
    if '"stream": true' in sample:
        assert body.endswith("data: [DONE]\n\n")
        return
    message = json.loads(body)["choices"][0]["message"]
    if '"role": "tool"' in sample:
        assert message["content"] == "It is 11.7 degrees in Paris."
    elif '"tools"' in sample:
        (call,) = message["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"latitude": 48.8566, "longitude": 2.3522}
    else:
        assert message["content"]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "sample"), samples("node"))
def test_a_node_sample_runs(page: str, sample: str, tmp_path: Path) -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "openai"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=100, check=False).returncode:
        pytest.skip("the npm package `openai` cannot be had")
    with running(simulator(page)) as url:
        (tmp_path / "sample.mjs").write_text(moved(sample, url), encoding="utf-8")
        assert run(["node", "sample.mjs"], cwd=tmp_path).strip()
