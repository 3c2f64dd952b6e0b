"""Each example runs as its docstring says, offline, and prints a sensible answer."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(path):
    environment = {**os.environ, "AGENTKIT_MODEL": "sim:deepseek-flash"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_weather_of_both_cities_is_in_the_answer():
    printed = run(ROOT / "examples" / "weather.py")
    assert "Paris" in printed
    assert "11 °C, light rain" in printed
    assert "Tokyo" in printed
    assert "16 °C, clear" in printed


def test_the_sum_is_right_and_took_its_steps():
    printed = run(ROOT / "examples" / "calculator.py")
    assert printed.count("→") == 4
    assert "22.5" in printed.splitlines()[-2]
    assert printed.splitlines()[-1] == "(5 model calls)"


def test_the_files_are_named_and_read():
    printed = run(ROOT / "examples" / "files.py")
    for path in EXAMPLES:
        assert path.name in printed
    assert 'calculator.py:39: raise ToolError("a number cannot be divided by zero")' in printed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_shows_and_how_to_run_it(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = ast.get_docstring(tree)
    assert "What it shows:" in told
    assert f"python examples/{path.name} " in told
    assert f"agentkit run examples/{path.name} " in told
    names = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
    assert "agent" in names
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
