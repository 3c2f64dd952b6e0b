"""The guide: its table of faults is the one that the catalog gives, and it names every option of the command."""

import re

import faults_table
from typer.main import get_command

from agentkit.cli.app import app
from agentkit.simulator.faults import FAULTS


def test_the_table_of_faults_is_up_to_date_and_no_fault_is_missing() -> None:
    page = faults_table.PAGE.read_text(encoding="utf-8")
    assert faults_table.fresh() == page, "run `python tests/simulator/faults_table.py --write`"
    rows = re.findall(r"^\| `([\w-]+)` \|", faults_table.table(), re.MULTILINE)
    assert sorted(rows) == sorted(FAULTS)
    assert all(line.count(" | ") == 3 for line in faults_table.table().splitlines() if line.startswith("| `"))


def test_the_guide_names_every_option_of_agentkit_sim() -> None:
    page = (faults_table.ROOT / "docs" / "guides" / "cli.md").read_text(encoding="utf-8")
    part = page.partition("\n## The simulator as a server\n")[2].partition("\n## ")[0]
    command = get_command(app).commands["sim"]  # type: ignore[attr-defined]  # typer gives a group
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options - {"--help"} == set(re.findall(r"^\| `(--[\w-]+)", part, re.MULTILINE))
