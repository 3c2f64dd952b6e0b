"""Each example runs as its docstring says, offline, and prints a sensible answer."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentkit.sessions import Session, every

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


def as_cron_would(home, *arguments):
    """Run the report with an empty environment, no terminal and a home of its own; code, line and complaint."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "cron_report.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env={**kept, "HOME": str(home), "USERPROFILE": str(home), "PYTHONIOENCODING": "utf-8"},
        cwd=home,
        timeout=60,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    assert "\x1b" not in done.stdout + done.stderr
    return done.returncode, json.loads(line), done.stderr


def test_the_report_runs_as_cron_runs_it_and_goes_on_with_its_session(tmp_path):
    code, line, complaint = as_cron_would(tmp_path)
    assert (code, complaint) == (0, "")
    assert line["ok"] is True
    assert "lamp" in line["report"]
    assert "desk" not in line["report"]
    assert line["steps"] == 2
    assert line["cost"].endswith(" USD")
    assert as_cron_would(tmp_path)[0] == 0
    (kept,) = every(tmp_path / ".agentkit" / "sessions.db")
    assert kept.name.startswith("stock report 20")
    assert kept.messages == 8


def test_the_report_that_fails_says_so_in_json_on_stderr_and_by_its_code(tmp_path):
    code, line, complaint = as_cron_would(tmp_path, "deepseek:deepseek-flash")
    assert (code, line["ok"], line["error"]) == (2, False, "ConfigurationError")
    assert "DEEPSEEK_API_KEY" in line["message"]
    assert complaint.startswith("the stock report failed: ")
    assert as_cron_would(tmp_path)[0] == 0
    (kept,) = every(tmp_path / ".agentkit" / "sessions.db")
    with Session(kept.name, file=tmp_path / ".agentkit" / "sessions.db").hold():
        code, line, _ = as_cron_would(tmp_path)
    assert (code, line["error"]) == (2, "SessionBusy")


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
