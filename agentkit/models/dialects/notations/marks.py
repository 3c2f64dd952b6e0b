"""Which notations there are, and what opens each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

from agentkit.frozen import frozen
from agentkit.models.dialects.notations import (
    fenced,
    function,
    gemma,
    glm,
    invoke,
    llama,
    mistral,
    pythonic,
    react,
    tags,
    tokens,
    tool_call,
)
from agentkit.models.dialects.notations.found import Found
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps
from agentkit.models.dialects.notations.tags import Tag

JSON: Final = "json"
"""An object in the midst of the text, as Llama 3 writes them: `{"name": …, "parameters": {…}}`."""

SALVAGE: Final = frozenset(
    {tool_call.NAME, tokens.DEEPSEEK, tokens.KIMI, invoke.DSML, mistral.NAME, llama.NAME, gemma.NAME}
)
"""What cannot be mistaken for prose: special tokens, DSML, `<tool_call>` and whatever a model puts into that.

For models that have function calling and leak their calls as text.
"""

ALL: Final = SALVAGE | {function.NAME, glm.NAME, invoke.XML, JSON, fenced.NAME, pythonic.NAME, react.NAME}
"""Every notation, for models that can only write."""

Read = Callable[[Source, Tools, Tag], Steps[Found | None]]


@frozen
class Marks:
    """The notations that are active.

    Attributes:
        notations: Their names.
        readers: The reader behind each opening tag, by the tag's word with its marker.
        words: The words of all tags that open one.
    """

    notations: frozenset[str]
    readers: Mapping[str, Read]
    words: frozenset[str]

    def reader(self, opening: Tag) -> Read | None:
        """The reader behind this tag."""
        if opening.dsml and (read := self.readers.get("dsml" + opening.word)) is not None:
            return read
        return self.readers.get(opening.word) or self.readers.get("antml" + opening.word)


@functools.lru_cache(maxsize=16)
def marks(notations: frozenset[str]) -> Marks:
    """What opens these notations.

    Raises:
        ValueError: One of them is not in `ALL`.
    """
    if strange := notations - ALL:
        raise ValueError(f"there is no notation `{min(strange)}`; there are {', '.join(sorted(ALL))}")
    readers: dict[str, Read] = {}
    for name, words, read in _TAGGED:
        if name in notations:
            readers.update(dict.fromkeys(words, read))
    return Marks(notations, readers, frozenset(readers))


def tagged(src: Source, tools: Tools, active: Marks) -> Steps[Found | None]:
    """Take the calls in a notation with tags that begin here, as far as they can be read.

    `None` where none begins: then no more was taken than what cannot be a call either.
    """
    opening = yield from tags.tag(src, active.words)
    if opening is None:
        return None
    read = active.reader(opening)
    return (yield from read(src, tools, opening)) if read is not None else None


def _gemma(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    return (yield from gemma.read(src, tools)) if not opening.closing else None


def _llama(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    return (yield from llama.read(src, tools)) if not opening.closing else None


_TAGGED: Final[tuple[tuple[str, frozenset[str], Read], ...]] = (
    (tool_call.NAME, tool_call.WORDS, tool_call.read),
    (function.NAME, function.WORDS, function.read),
    (tokens.DEEPSEEK, tokens.WORDS, tokens.read),
    (tokens.KIMI, tokens.WORDS, tokens.read),
    (invoke.XML, invoke.XML_WORDS, invoke.read),
    (invoke.DSML, invoke.DSML_WORDS, invoke.read),
    (gemma.NAME, gemma.WORDS, _gemma),
    (llama.NAME, llama.WORDS, _llama),
)
