"""Ways to misbehave, and when: `Simulator(faults=["429:0.1", "stall(20s)@3"])`, `simulator.faults.next("503")`.

`FAULTS` holds them all by name; `agentkit.simulator.faults.rules` says how rules are written.
"""

from __future__ import annotations

from agentkit.simulator.faults.catalog import FAULTS
from agentkit.simulator.faults.kinds import Draw, Fault, Option
from agentkit.simulator.faults.layer import HEADER, Faults
from agentkit.simulator.faults.rules import Rule, in_turn, rule

__all__ = ["FAULTS", "HEADER", "Draw", "Fault", "Faults", "Option", "Rule", "in_turn", "rule"]
