"""The documentation is true: its code runs, prints what the page shows, and its links lead somewhere.

The Python blocks of a page are run in their order in one module, offline, in an empty folder. A block after the comment
`<!-- not run: reason -->` is only compiled. A `text` block right after a Python block is what that block prints; `…`
stands for any text. Lines of a shell that call `agentkit` are parsed by it, TOML and SQL are read.
"""

import ast
import contextlib
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from agentkit import sessions
from agentkit.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
BLOCK = re.compile(r"^```([\w-]*)[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S)
NOT_RUN = re.compile(r"<!-- not run: \S[^>]*-->\s*$")
LANGUAGES = {"python", "text", "sh", "console", "toml", "sql"}
"""What a block can be: code that is run or checked below, or words."""

LEFT_OUT = {
    "docs/quickstart.md": ["needs a key"],
    "docs/guides/testing.md": ["it is a file of tests; tests/testing/test_testing_page.py gives it to pytest"],
}
"""The Python blocks that are not run, by their reasons; whoever adds one looks at the others."""

RUNNER = """
import contextlib, io, json, sys, types
page = types.ModuleType("page")
sys.modules["page"] = page
printed = []
for name, line, code in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\\n" * line + code, name, "exec"), page.__dict__)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


@dataclass
class Block:
    """A fenced block of a page, with what stands around it."""

    language: str
    code: str
    line: int
    skipped: bool
    shown: str | None


def blocks(text: str) -> list[Block]:
    found = list(BLOCK.finditer(text))
    made = []
    for number, match in enumerate(found):
        after = found[number + 1] if number + 1 < len(found) else None
        shows = after is not None and after[1] == "text" and not text[match.end() : after.start()].strip()
        line = text.count("\n", 0, match.start(2))
        skipped = NOT_RUN.search(text[: match.start()]) is not None
        made.append(Block(match[1], match[2], line, skipped, after[2] if after and shows else None))
    return made


def fits(shown: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(piece) for piece in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.S) is not None


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    code = [block for block in blocks((ROOT / page).read_text(encoding="utf-8")) if block.language in ("python", "py")]
    for block in code:
        ast.parse(block.code, f"{page}:{block.line}")
    code = [block for block in code if not block.skipped]
    if not code:
        return  # a page of words
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps([(page, block.line, block.code) for block in code]),
        cwd=tmp_path,
        env={**os.environ, "AGENTKIT_MODEL": "sim:deepseek-flash", "AGENTKIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{page}\n{done.stderr}"
    for block, printed in zip(code, json.loads(done.stdout.splitlines()[-1]), strict=True):
        if block.shown is not None:
            assert fits(block.shown, printed), f"{page}:{block.line} prints\n{printed}"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_is_run_or_checked_or_says_why_not(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {block.language for block in blocks(text)} <= LANGUAGES
    assert not re.search(r"^[ \t>]+```|^~~~|^(?: {4}|\t)\S", BLOCK.sub("", text), re.M), "a block that is not seen"
    assert re.findall(r"^<!-- not run: (.*?) -->$", text, re.M) == LEFT_OUT.get(page, [])


def commands() -> list[tuple[str, str]]:
    """Every line of a shell that begins with `agentkit`, with its page."""
    found = []
    for page in PAGES:
        for block in blocks((ROOT / page).read_text(encoding="utf-8")):
            lines = block.code.splitlines() if block.language in ("sh", "console") else []
            found += [(page, line.removeprefix("$ ")) for line in lines if re.match(r"(\$ )?agentkit\b", line)]
    return found


def parse(line: str) -> None:
    """Let the command line take a line apart, as far as it would run it."""
    words = shlex.split(re.split(r"\s[<>|]\s|\s&&\s", line)[0], comments=True)[1:]
    name: str | None = "agentkit"
    command: Any = get_command(app)
    context = None
    while command is not None:
        context = command.make_context(name, words, parent=context)
        if not hasattr(command, "resolve_command"):  # no group: typer has a click of its own
            return
        words = [*context._protected_args, *context.args]
        if not words:
            assert command.invoke_without_command
            return
        name, command, words = command.resolve_command(context, words)


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_that_a_page_shows_is_one_that_the_command_line_takes(page: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["agentkit rum x.py", "agentkit run x.py --josn", "agentkit sessions frok a b"])
def test_a_command_that_there_is_not_is_found_out(line: str) -> None:
    with pytest.raises(Exception, match=r"No such (command|option)"):
        parse(line)


def test_other_code_of_the_pages_is_what_it_seems() -> None:
    checked = []
    for page in PAGES:
        for block in blocks((ROOT / page).read_text(encoding="utf-8")):
            if block.language == "toml":
                tomllib.loads(block.code)
            elif block.language == "sql":
                assert tables(block.code) == tables(sessions._TABLES), page
            checked.append(block.language)
    assert {"toml", "sql"} <= set(checked)


COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'  # what writes them fills in defaults


def tables(code: str) -> dict[str, list[tuple[object, ...]]]:
    """The tables and columns that SQL makes."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(code)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: db.execute(COLUMNS, (name,)).fetchall() for name in names}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_a_page_and_a_heading(page: str) -> None:
    path = ROOT / page
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        if not linked.exists() or (anchor and anchor not in anchors(linked.read_text(encoding="utf-8"))):
            lost.append(target)
    assert not lost


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    heads = re.findall(r"^#+ +(.+?)\s*$", BLOCK.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_nothing_tells_people_to_install_the_name_that_belongs_to_somebody_else() -> None:
    texts = [*(ROOT / page for page in PAGES), *ROOT.glob("agentkit/**/*.py"), *ROOT.glob("tools/**/*.py")]
    wrong = re.compile(r"(?:pip3?|uv|pipx|uv pip|poetry)\s+(?:install|add|run)\s+(?:-\S+\s+)*[\"'`]?agentkit\b")
    assert [str(path) for path in texts if wrong.search(path.read_text(encoding="utf-8"))] == []


def test_a_page_that_shows_what_was_not_printed_is_found_out() -> None:
    page = "```python\nprint('a b c')\n```\n\n```text\na … c\n```\n\n<!-- not run: needs a key -->\n```python\nx\n```\n"
    first, shown, last = blocks(page)
    assert (first.shown, first.line, first.skipped, last.skipped) == ("a … c\n", 1, False, True)
    assert fits("a … c\n", "a b c\n")
    assert not fits("a … d\n", "a b c\n")
    assert shown.language == "text"
