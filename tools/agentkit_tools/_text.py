"""Text from outside, made fit to be shown: without what a terminal would obey and what nobody can see.

Control characters move a cursor or clear a screen; characters that change the direction of writing, and those without
a width (the tags of U+E0000 among them), hide words from people that a model still reads. Joiners (U+200C, U+200D)
stay, since scripts and emoji need them.
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b\[[0-?]*+[ -/]*+[@-~]|\x1b\][^\x07\x1b]*+(?:\x07|\x1b\\)?|\x1b[ -/]*+[0-~]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def plain(text: str) -> str:
    """The text without escape sequences, control characters and unseen ones; line breaks are `\\n`, tabs stay."""
    return _UNSEEN.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str, most: int) -> str:
    """The text as part of one line of at most `most` characters: what is no letter, sign or space of a line is `?`."""
    shown = _UNSEEN.sub("?", text[:most].replace("\t", " ").replace("\n", "?"))
    return shown + "…" if len(text) > most else shown


def amount(number: float, unit: str) -> str:
    """A number with its unit: `1 byte`, `2,000 bytes`, `0.5 seconds`."""
    return f"{number:,g} {unit}" if number == 1 else f"{number:,.10g} {unit}s"
