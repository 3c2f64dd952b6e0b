"""Faults of what is said: they change a plan before it is put on the wire (WIRE sections 5, 8 and 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from agentkit.simulator.faults.kinds import Draw, Words
from agentkit.simulator.plan import Plan


def nothing(_: Plan, __: Draw) -> Plan:
    """Not a word, not a call, no reasoning."""
    return Plan(finish_reason="stop")


def no_content(plan: Plan, _: Draw) -> Plan:
    """Reasoning, perhaps, and an empty answer."""
    return replace(plan, content="", calls=(), finish_reason="stop")


def filtered(plan: Plan, _: Draw) -> Plan:
    """Blanked by a filter."""
    return replace(plan, content="", calls=(), finish_reason="content_filter")


def no_resource(plan: Plan, draw: Draw) -> Plan:
    """Broken off in the text because the service has no room."""
    kept = plan.content[: draw.random.randint(0, len(plan.content))]
    return replace(plan, content=kept, calls=(), finish_reason="insufficient_system_resource")


def stop_with_calls(plan: Plan, _: Draw) -> Plan:
    """Calls, and `stop` for the reason."""
    return replace(plan, finish_reason="stop")


def no_calls(plan: Plan, _: Draw) -> Plan:
    """`tool_calls` for the reason, and none there."""
    return replace(plan, calls=(), finish_reason="tool_calls")


def think_in_content(plan: Plan, draw: Draw) -> Plan:
    """The reasoning stands in the answer; where there is none, a sentence does for one."""
    thought = plan.reasoning or "I look at what was asked, and answer."
    opening = "<think>\n" if draw.options["opened"] == "yes" else ""
    return replace(plan, reasoning="", content=f"{opening}{thought}\n</think>\n\n{plan.content}")


def one_wide_character(plan: Plan, _: Draw) -> Plan:
    """At least one character of several bytes."""
    if not (plan.content + plan.reasoning + "".join(call.arguments for call in plan.calls)).isascii():
        return plan
    return replace(plan, content=f"{plan.content} \N{WHITE HEAVY CHECK MARK}\N{PARTY POPPER}".lstrip())


# ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def arguments(change: Callable[[str, Draw], str]) -> Words:
    """A change of the arguments of every call; the reason for the end stays `tool_calls`."""

    def words(plan: Plan, draw: Draw) -> Plan:
        return replace(plan, calls=tuple(replace(call, arguments=change(call.arguments, draw)) for call in plan.calls))

    return words


def malformed(text: str, draw: Draw) -> str:
    """One brace off, as measured in long arguments (WIRE section 5), or one quote."""
    ways = [text + "}", text.removesuffix("}")]
    if '"' in text:
        place = text.rindex('"')
        ways.append(text[:place] + text[place + 1 :])
    return draw.random.choice(ways)


def truncated(text: str, draw: Draw) -> str:
    """The beginning."""
    return text[: draw.random.randint(1, max(1, len(text) - 1))]


def doubly_encoded(text: str, _: Draw) -> str:
    """A JSON string that holds the JSON object."""
    return json.dumps(text, ensure_ascii=False)


def twice(text: str, _: Draw) -> str:
    """Two objects, one after the other."""
    return text + text


def emptied(_: str, __: Draw) -> str:
    """No arguments, not even `{}`."""
    return ""


def invented_tool(plan: Plan, draw: Draw) -> Plan:
    """Names that no tool has."""
    turn = draw.exchange.turn
    known = {tool.name for tool in turn.tools} if turn else set[str]()

    def name(of: str) -> str:
        made: str = draw.options["name"] or f"{of}_v2"
        while made in known:
            made += "_x"
        return made

    return replace(plan, calls=tuple(replace(call, name=name(call.name)) for call in plan.calls))
