"""Log probabilities that look like real ones and follow from the reply's seal: invented, and the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable

_OTHERS = tuple(" the|The|,| a|.| I|\n| and| to| is|:| of|We| in| it| that|-|?| for|So| on".split("|"))
"""What stands beside the token that was chosen, among `top_logprobs`: enough for 20 that differ."""

Entry = Callable[[int, str], str]
"""The entry of the token at a position of the reply, as JSON text."""


def entries(seal: bytes, top: int) -> Entry:
    """Entries as recorded: token, log probability, bytes, and the `top` likeliest tokens, the chosen one first."""

    def entry(place: int, token: str) -> str:
        draw = (seal[place % len(seal)] * 257 + place * 40_503) & 0xFFFF
        value = -round(3 * (draw / 0xFFFF) ** 8, 9)
        likeliest = [_one(token, value)]
        for step, other in enumerate([other for other in _OTHERS if other != token][: max(0, top - 1)], 1):
            likeliest.append(_one(other, round(value - 2 - step * 0.75, 6)))
        return f'{_one(token, value)[:-1]},"top_logprobs":[{",".join(likeliest[:top])}]}}'

    return entry


def _one(token: str, value: float) -> str:
    raw = list(token.encode("utf-8", "replace"))
    text = json.dumps(token, ensure_ascii=False)
    return f'{{"token":{text},"logprob":{value!r},"bytes":{json.dumps(raw, separators=(",", ":"))}}}'
