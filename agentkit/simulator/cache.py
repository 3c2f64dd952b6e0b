"""The prefix cache: how much of a prompt an endpoint has seen before (WIRE section 4).

A prompt and its reply are remembered in blocks of `unit` tokens, each under a number that follows from it and all
blocks before it. A hit is the longest row of whole blocks from the beginning that an earlier request of the same key
and model left behind. The last token is always computed anew, and a hit shorter than `least` counts as none: recorded
hits of V4 are multiples of 128 from 256 on, and those of December 2025 multiples of 64.

Of 41 recorded requests that go on with a conversation, 35 have exactly the hit that this rule gives for the prompt and
reply before them; the real cache is "best effort", and forgets.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from agentkit.simulator.profiles import Cache

MOST_BLOCKS = 65_536
"""How many blocks are remembered: of 128 tokens each, eight prompts of a million tokens, in some 10 MB."""


class PrefixCache:
    """The blocks that one simulator has seen. Safe to use from several threads.

    Args:
        most: How many blocks are remembered; those that were not met for longest go first.
    """

    def __init__(self, most: int = MOST_BLOCKS) -> None:
        self._most = most
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many blocks are remembered."""
        return len(self._blocks)

    def hits(self, owner: tuple[str, str], prompt: Sequence[str], cache: Cache) -> int:
        """How many tokens of a prompt are a hit.

        Args:
            owner: Whose cache it is: the API key and the model.
            prompt: The prompt, one text per token.
            cache: The unit and the least hit.
        """
        if len(prompt) <= cache.least:
            return 0
        blocks = 0
        for block in _chain(owner, prompt[:-1], cache.unit):
            if block not in self._blocks:
                break
            blocks += 1
        hit = blocks * cache.unit
        return hit if hit >= cache.least else 0

    def remember(self, owner: tuple[str, str], said: Sequence[str], cache: Cache) -> None:
        """Keep the blocks of a prompt and its reply."""
        blocks = _chain(owner, said, cache.unit)
        with self._lock:
            for block in reversed(blocks):  # so that the beginning, which the rest needs, is forgotten last
                self._blocks[block] = None
                self._blocks.move_to_end(block)
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)


def _chain(owner: tuple[str, str], said: Sequence[str], unit: int) -> list[int]:
    """A number for each whole block, which follows from the owner and all that was said up to its end."""
    number = hash(owner)
    chain: list[int] = []
    for start in range(0, len(said) - unit + 1, unit):
        number = hash((number, *said[start : start + unit]))
        chain.append(number)
    return chain
