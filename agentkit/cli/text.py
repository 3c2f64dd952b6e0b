"""Text from models and tools, made safe to show.

What a model, a tool or a server says may hold terminal control sequences: they can hide text, rewrite lines that
were shown, set the clipboard or the window's title. So everything that is shown goes through `clean`. It drops single
characters, never sequences, so a sequence that is cut over two deltas does not slip through.
"""

from __future__ import annotations

import json
from typing import Any, cast

_DROPPED = dict.fromkeys(
    [
        *(code for code in range(0x20) if chr(code) not in "\n\t"),  # C0, with ESC, BEL, CR and backspace
        *range(0x7F, 0xA0),  # DEL and C1, with the one-byte CSI and OSC
        *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
        *range(0x2066, 0x206A),  # bidirectional isolates
        *range(0xD800, 0xE000),  # lone surrogates, which no encoding can write
    ]
)

LONGEST = 400
"""How many characters of a call's arguments or result one line shows at most."""


def clean(text: str) -> str:
    """The text without terminal control characters; line breaks and tabs stay."""
    return text.translate(_DROPPED)


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text, cleaned, in one line of at most `longest` characters."""
    line = " ".join(clean(text[: 4 * longest]).split())
    if len(line) > longest or len(text) > 4 * longest:
        return line[: longest - 1] + "…"
    return line


def call_line(name: str, arguments: str, longest: int = LONGEST) -> str:
    """A tool call as it would be written in Python: `weather(city="Paris", days=2)`.

    Args:
        name: The tool's name, as the model wrote it.
        arguments: The text of the arguments; shown as it is where it is no JSON object.
        longest: How many characters it may have.
    """
    try:
        values: Any = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return one_line(f"{name}({arguments})", longest)
    named = cast("dict[str, Any]", values)
    return one_line(f"{name}({', '.join(f'{key}={_value(value)}' for key, value in named.items())})", longest)


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
