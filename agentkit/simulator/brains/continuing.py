"""What the rules say where they are to go on with a text: an open block of code, or a gap between two texts.

They cannot write code. They put a comment there that says so, in the language's own form, and close the block.
"""

from __future__ import annotations

import re

from agentkit.simulator.brains import Turn
from agentkit.simulator.plan import Plan

_SIGNS = (
    ("//", "c cpp c++ cs csharp dart go java javascript js kotlin php rust scala swift ts tsx typescript zig"),
    ("--", "ada elm haskell lua sql"),
    ("%", "erlang latex matlab prolog tex"),
    (";", "clojure ini lisp scheme"),
)
_SIGN_OF = {language: sign for sign, languages in _SIGNS for language in languages.split()}
_NOTE = "A simulated model goes on here, which can write no code of its own."


def going_on(turn: Turn) -> Plan | None:
    """The rest of an open code block or what fills the gap; `None` where there is neither."""
    if turn.suffix is not None:
        return Plan(content=_filling(turn.messages[0].text or "", turn.suffix))
    if turn.prefix.count("```") % 2:
        language = re.match(r"[\w+#-]*", turn.prefix.rpartition("```")[2])
        sign = _SIGN_OF.get(language[0].lower(), "#") if language else "#"
        break_ = "" if turn.prefix.endswith("\n") else "\n"
        return Plan(content=f"{break_}{sign} {_NOTE}\n```\n", reasoning="The block of code is open; I close it.")
    return None


def _filling(before: str, after: str) -> str:
    around = f"{before}\n{after}"
    if re.search(r"[;{}]\s*$|^\s*(?://|function\b|const\b|let\b|public\b|fn\b)", around, re.MULTILINE):
        sign = "//"
    elif re.search(r"^\s*(?:def|class|import|from|return|if|for|while|with|#)\b", around, re.MULTILINE):
        sign = "#"
    else:
        return " … "
    line = before.rpartition("\n")[2]
    if line.strip():
        return f"  {sign} {_NOTE}\n"
    return f"{'' if line else _indent(before, after)}{sign} {_NOTE}\n"


def _indent(before: str, after: str) -> str:
    """The white space that the next line of code begins with; one step more behind a colon or a brace."""
    lines = [line for line in before.split("\n") if line.strip()]
    last = lines[-1] if lines else after.split("\n")[0]
    return last[: len(last) - len(last.lstrip())] + ("    " if last.rstrip().endswith((":", "{")) else "")
