"""The page on endpoints: each statement of a document says how it is supported and where it is tested, or history."""

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "endpoints.md").read_text(encoding="utf-8")
DOCUMENTS = ("000", "001", "002", "003")


def section(number):
    """The rows of the section on a document: statement, how, tests."""
    begin = PAGE.index(f"(document {number})")
    text = PAGE[begin : PAGE.find("\n## ", begin)]
    rows = [row.strip().strip("|").split(" | ") for row in text.splitlines() if row.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() != "it says" and "---" not in row[0]]


@functools.cache
def names_of_tests():
    """The names of all tests."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("number", DOCUMENTS)
def test_every_statement_is_supported_and_tested_or_history(number):
    rows = section(number)
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 3, row
        statement, how, held = row
        assert statement
        assert how
        assert "`test_" in held or held in ("history", "words"), row


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert named - names_of_tests() == set()
