"""The table of rules in the guide is the one that the tests give."""

import os
import subprocess
import sys
from pathlib import Path

import rules_table


def test_the_table_of_rules_is_up_to_date_and_no_rule_is_without_a_test() -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, str(Path(rules_table.__file__))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout[-2_000:]


def test_rules_are_graded_and_told_in_a_line() -> None:
    for name, (grade, says) in rules_table.RULES.items():
        assert grade in ("rec", "doc", "src", "rep"), name
        assert says, name
        assert "\n" not in says, name
        assert "|" not in says, name
