"""The documentation is true: its code runs, prints what the page shows, and its links lead somewhere.

The Python blocks of a page are run in their order in one module, offline, in an empty folder. A block after the comment
`<!-- not run: reason -->` is only compiled. A `text` block right after a Python block is what that block prints; `…`
stands for any text.
"""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
BLOCK = re.compile(r"^```([\w-]*)[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S)
NOT_RUN = re.compile(r"<!-- not run: \S[^>]*-->\s*$")
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
