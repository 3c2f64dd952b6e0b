"""Calls as text: how models write them before the endpoint takes them out (WIRE section 5), and misspellings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from agentkit.simulator.faults.kinds import Draw
from agentkit.simulator.plan import Call, Plan

BARS = {
    "wide": "｜",
    "doubled": "｜｜",
    "parallel": "‖",
    "ascii": "|",
    "ascii-doubled": "||",
    "escaped": "\\|",
    "colon": "|",
}
"""The spellings of the bars round `DSML` in which leaks were seen (WIRE section 9), and V3's tokens with them."""


def _token(words: str, spelling: str) -> str:
    """A special token of V3 and V3.1; with ASCII bars, its joints are ASCII too."""
    bars = BARS[spelling]
    return f"<{bars}{words if '|' not in bars else words.replace('▁', '_')}{bars}>"


def _v3(calls: Sequence[Call], spelling: str) -> str:
    begin, sep, end = (_token(words, spelling) for words in ("tool▁call▁begin", "tool▁sep", "tool▁call▁end"))
    inner = "\n".join(f"{begin}function{sep}{call.name}\n```json\n{call.arguments}\n```{end}" for call in calls)
    return _token("tool▁calls▁begin", spelling) + inner + _token("tool▁calls▁end", spelling)


def _v31(calls: Sequence[Call], spelling: str) -> str:
    begin, sep, end = (_token(words, spelling) for words in ("tool▁call▁begin", "tool▁sep", "tool▁call▁end"))
    inner = "".join(f"{begin}{call.name}{sep}{call.arguments}{end}" for call in calls)
    return _token("tool▁calls▁begin", spelling) + inner + _token("tool▁calls▁end", spelling)


def _dsml(block: str, space: str = "") -> Callable[[Sequence[Call], str], str]:
    """V3.2 and later: each parameter apart, texts as they are and all else as JSON."""

    def written(calls: Sequence[Call], spelling: str) -> str:
        bars = BARS[spelling]
        mark = f"{bars}DSML{bars}{':' if spelling == 'colon' else ''}{space}"
        lines = [f"<{mark}{block}>"]
        for call in calls:
            lines.append(f'<{mark}invoke name="{call.name}">')
            for name, value in _parameters(call.arguments).items():
                is_text = isinstance(value, str)
                text = value if is_text else json.dumps(value, ensure_ascii=False)
                kind = "true" if is_text else "false"
                lines.append(f'<{mark}parameter name="{name}" string="{kind}">{text}</{mark}parameter>')
            lines.append(f"</{mark}invoke>")
        return "\n".join([*lines, f"</{mark}{block}>"])

    return written


def _hermes(calls: Sequence[Call], _: str) -> str:
    return "\n".join(
        f'<tool_call>\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n</tool_call>'
        for call in calls
    )


def _parameters(arguments: str) -> Mapping[str, Any]:
    """Arguments that are no JSON object are shown as one parameter (WIRE section 5, last paragraph)."""
    try:
        value: Any = json.loads(arguments)
    except ValueError:
        value = None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"arguments": arguments}


NOTATIONS: Mapping[str, Callable[[Sequence[Call], str], str]] = {
    "v3": _v3,
    "v3.1": _v31,
    "v3.2": _dsml("function_calls"),
    "v4": _dsml("tool_calls"),
    "v4.1": _dsml("calls", " "),
    "hermes": _hermes,
}
"""V3 and R1, V3.1, V3.2, V4, V4.1, and the notation of Qwen and others that OpenAI-compatible servers leak. Each is a
function of the calls and the spelling of the bars."""


def leak(plan: Plan, draw: Draw) -> Plan:
    """The calls stand in the answer, as the model wrote them."""
    notation: str = draw.options["notation"] or draw.random.choice(list(NOTATIONS))
    said = NOTATIONS[notation](plan.calls, draw.options["bars"])
    return replace(plan, content=f"{plan.content}\n\n{said}".lstrip(), calls=(), finish_reason="stop")
