"""Reads the text of a reply as it comes: what can be shown, and the calls that are written in it.

One scanner goes over the text once. It knows where text is quoted (thought, fences, inline code, lines that begin with
`>`) and where something may begin that is none; the notations read from there. `docs/guides/prompt-only.md` says which
text is a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from agentkit.models.dialects.notations import fenced, mistral, objects, pythonic, react, tags, values
from agentkit.models.dialects.notations.found import Found, Reading
from agentkit.models.dialects.notations.held import Held
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.marks import ALL, JSON, marks, tagged
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps
from agentkit.models.dialects.notations.tags import BARS, STARTS, Tag

_THOUGHT: Final = frozenset({"think", "thinking", "thought", "reasoning"})
_THOUGHT_IN_BRACKETS: Final = "[THINK]", "[/THINK]"
_CONTROL: Final = frozenset(
    {"imstart", "imend", "startheaderid", "endheaderid", "eomid", "eotid", "endofsentence", "beginofsentence"}
    | {"endoftext", "startofturn", "endofturn"}
)
"""Tokens that order a conversation, which leak beside calls."""
_ROLES: Final = frozenset({"imstart", "startheaderid", "startofturn"})
_INVENTED: Final = frozenset(
    {"toolresponse", "toolresult", "toolresults", "functionresponse", "functionresult", "functionresults", "user"}
    | {"tooloutputsbegin", "tooloutputbegin", "startfunctionresponse", "dsmltoolresult", "dsmltoolresults"}
)
"""Tags that begin the answer to a call, which is not the model's to write."""
_STRAY: Final = frozenset(
    {"toolcall", "functioncall", "function", "toolcallend", "toolcallsend", "toolcallssectionend", "pythonend"}
    | tags.with_markers("toolcalls", "functioncalls", "invoke")
    | {"dsmlcalls", "endfunctioncall"}
)
"""Closing tags that are left over behind a call."""
_ALWAYS: Final = _THOUGHT | _CONTROL | _INVENTED | _STRAY
_OBSERVATION: Final = "observation:"
_STOPS: Final = STARTS + "`[{\n"
_GOES_ON: Final = {
    "<": tags.SECONDS,
    **dict.fromkeys(BARS[:2], frozenset(BARS + "Dd\\/")),
    "\\": frozenset(BARS),
    "{": frozenset(BLANKS + '"'),
    "[": frozenset(BLANKS + '{"' + _THOUGHT_IN_BRACKETS[0][1] + mistral.MARK[1]),
}
"""What follows these characters where they begin something; all else is text at once."""


class Reader:
    """Reads one reply.

    Args:
        tools: The JSON Schema of the parameters of each known tool by its name, `None` where it is not known. What
            names another tool is no call.
        notations: The notations that are read: `ALL`, `SALVAGE`, or some of them.

    Raises:
        ValueError: There is no such notation.
    """

    __slots__ = (
        "_active",
        "_blank",
        "_cut",
        "_held",
        "_line",
        "_lost",
        "_silent",
        "_source",
        "_steps",
        "_tick",
        "_tools",
    )

    def __init__(self, tools: Mapping[str, Mapping[str, Any] | None], notations: frozenset[str] = ALL) -> None:
        self._tools = Tools(tools)
        self._active = marks(frozenset(notations))
        self._source = Source()
        self._held = Held()
        self._cut = ""
        self._line = True  # whether a line begins here
        self._blank = True  # whether only blanks stand before in this line
        self._silent = True  # whether nothing was said but calls and thought
        self._lost = False  # whether nothing can be a call any more
        self._tick = 0  # how many backticks opened the inline quotation that may be open
        self._steps = self._scan()

    def feed(self, text: str) -> str:
        """Take what has come; give what can be shown now."""
        if text:
            self._source.feed(text)
            next(self._steps, None)
        return self._held.shown()

    def finish(self) -> Reading:
        """The calls, and what is left to show, after all has come."""
        self._source.ended = True
        for _ in self._steps:
            pass
        before, thought, _ = self._cut.partition("</think>")
        if thought and "<think>" not in before:
            self._held.thought()
            self._held.say(self._cut)
            self._cut = ""
        return self._held.reading(self._cut)

    def _scan(self) -> Steps[None]:
        """Go over the whole text."""
        src = self._source
        while not self._cut:
            if self._lost:
                src.run("")
                self._spill()
                if not (yield from src.next()):
                    return
                continue
            if self._line:
                self._line = False
                yield from self._beginning()
                continue
            src.run(_STOPS)
            if src.at >= len(src.text):
                self._spill()
                if not (yield from src.next()):
                    return
                continue
            char = src.text[src.at]
            if char in _GOES_ON:
                if src.at + 1 >= len(src.text):
                    self._spill()
                    yield from src.need(2)
                if (after := src.text[src.at + 1 : src.at + 2]) and after not in _GOES_ON[char]:
                    src.take(1)
                    continue
            self._spill()
            if char == "`":
                yield from self._ticks()
            elif char in STARTS:
                yield from self._tag()
            elif char in "[{":
                yield from self._bracket(char)
            else:
                src.take(1)
                self._spill()

    def _beginning(self) -> Steps[None]:
        """What only counts where a line begins: fences, quoted lines, ReAct, and Python as the whole reply."""
        src, notations = self._source, self._active.notations
        yield from src.blanks()
        self._spill()
        self._line = False
        char = yield from src.next()
        if char and char in "`~":
            yield from self._fence(char)
        elif char == ">":
            while (yield from src.next()) not in ("", "\n"):
                src.run("\n")
                self._spill()
        elif (
            char
            and self._silent
            and (char == "[" or char.isidentifier())
            and pythonic.NAME in notations
            and (yield from pythonic.starts(src, self._tools))
        ):
            found = yield from pythonic.read(src, self._tools)
            self._settle(None if found is None else replace(found, alone=True))
        elif char and char in "aA*_" and react.NAME in notations and (yield from react.starts(src)):
            self._settle((yield from react.read(src, self._tools)))
        elif char and char in "oO*_" and self._held.waiting:
            yield from src.blanks("*_")
            if (yield from src.accept(_OBSERVATION, fold=True)):
                yield from self._invented()
            self._spill()

    def _fence(self, char: str) -> Steps[None]:
        """A fence, or the beginning of inline code."""
        src, held = self._source, self._held
        fence = yield from src.blanks(char)
        if len(fence) < 3:
            if char == "`":
                self._tick_run(len(fence))
            self._spill()
            return
        self._tick = 0
        held.quotation_void()
        if held.waiting and (yield from src.accept("tool_output")):
            yield from self._invented()
            return
        found, still_open = None, True
        if fenced.NAME in self._active.notations:
            found, still_open = yield from fenced.read(
                src, self._tools, fence, lambda: tagged(src, self._tools, self._active)
            )
        self._settle(found)
        while still_open and (yield from src.next()):
            if self._line:
                yield from src.blanks(" \t\r")
                if (yield from fenced.closed(src, fence)):
                    yield from src.blanks(" \t\r")
                    still_open = (yield from src.next()) not in ("", "\n")
            src.run("\n")
            self._spill()
            if still_open and (yield from src.next()) == "\n":
                src.take(1)
                self._spill()

    def _ticks(self) -> Steps[None]:
        """Backticks open an inline quotation, or close it if there are as many."""
        self._tick_run(len((yield from self._source.blanks("`"))))
        self._spill()

    def _tick_run(self, length: int) -> None:
        if self._tick == length:
            self._held.quotation_closed()
            self._tick = 0
        elif not self._tick:
            self._tick = length

    def _tag(self) -> Steps[None]:
        """A tag: of thought, of a notation, of the conversation, or none of them."""
        src, held = self._source, self._held
        opening = yield from tags.tag(src, self._active.words | _ALWAYS)
        if opening is None:
            src.take(1)
            self._spill()
            return
        if self._quotes((yield from src.next())):
            self._spill()
        elif opening.word in _THOUGHT:
            if opening.closing:
                held.thought()
                self._spill(thought=True)
            else:
                yield from self._thought(None)
        elif opening.word in _INVENTED and held.waiting and not opening.closing:
            yield from self._invented()
        elif opening.word in _CONTROL and opening.dsml:
            yield from self._control(opening)
        elif opening.closing:
            self._stray()
        elif (read := self._active.reader(opening)) is not None:
            self._settle((yield from read(src, self._tools, opening)))
        else:
            self._spill()

    def _quotes(self, after: str) -> bool:
        """Whether what was just taken is only named, between quotation marks."""
        return bool(after) and ((self._tick > 0 and after == "`") or self._held.closes(after))

    def _thought(self, close: str | None) -> Steps[None]:
        """Thought, which is text to its end; `close` ends it, or the closing tag where that is `None`."""
        src = self._source
        while (yield from src.next()):
            src.run(close[0] if close else "<")
            self._spill(thought=True)
            if not (yield from src.next()):
                return
            found = (yield from tags.tag(src, _THOUGHT)) if close is None else None
            if (found is not None and found.closing) or (close is not None and (yield from src.accept(close))):
                self._spill(thought=True)
                return
            src.take(int(found is None))

    def _control(self, opening: Tag) -> Steps[None]:
        """A token that orders the conversation, with the role behind it; behind a call a new turn is invented."""
        src = self._source
        if opening.word in _ROLES:
            if self._held.waiting:
                yield from self._invented()
                return
            if (yield from src.accept("assistant")) or (yield from src.accept("model")):
                yield from tags.tag(src, _CONTROL)
                yield from src.blanks()
        self._held.control(src.taken())
        self._line = True

    def _stray(self) -> None:
        """A closing tag that nothing opened."""
        if self._held.waiting:
            self._held.control(self._source.taken())
        else:
            self._spill()

    def _bracket(self, char: str) -> Steps[None]:
        """An object or a list in the midst of the text."""
        src, notations = self._source, self._active.notations
        if char == "[":
            if (yield from src.accept(_THOUGHT_IN_BRACKETS[0])):
                yield from self._thought(_THOUGHT_IN_BRACKETS[1])
                return
            if mistral.NAME in notations and (yield from src.accept(mistral.MARK)):
                if self._quotes((yield from src.next())):
                    self._spill()
                else:
                    self._settle((yield from mistral.read(src, self._tools)))
                return
        if JSON in notations and (yield from objects.begun(src, self._tools)):
            alone = self._blank
            found, span = yield from objects.read(src, self._tools, JSON, sure=False, lines=alone)
            if span.end != "whole" and objects.names_tool(span, self._tools):
                self._lost = True
                found = objects.cut_off(span, JSON) if alone else None
            self._settle(found)
        elif char == "{":
            yield from self._object()
        else:
            src.take(1)
            self._spill()

    def _object(self) -> Steps[None]:
        """An object that is no call: nothing in it is one, as far as it is JSON."""
        src = self._source
        brackets = values.Brackets('"', lines=False)
        verdict = "more"
        while verdict == "more" and (yield from src.next()):
            end, verdict = brackets.step(src.text, src.at)
            src.take(end - src.at)
            self._spill()

    def _invented(self) -> Steps[None]:
        """An answer to the calls that the model invented: it is cut, with all that follows."""
        src = self._source
        while (yield from src.next()):
            src.run("")
        self._cut = src.taken()

    def _settle(self, found: Found | None) -> None:
        """What was taken since the last settlement holds this."""
        self._lost = self._lost or (found is not None and found.lost and not self._tick)
        if found is None or not (found.calls or (found.unread and not self._tick)):
            self._spill()
            return
        text = self._source.taken()
        self._held.call(text, found, ticked=self._tick > 0)
        self._line = text.endswith("\n")
        self._blank = self._line

    def _spill(self, *, thought: bool = False) -> None:
        """What was taken since the last settlement is text."""
        text = self._source.taken()
        if not text:
            return
        self._held.say(text)
        if thought:  # what follows it is the beginning of the answer
            self._line = self._blank = self._silent = True
            self._tick = 0
            return
        *lines, rest = text.split("\n")
        for line in lines:
            if self._blank and not line.strip(BLANKS) and self._tick:  # a paragraph ends, and quotations with it
                self._tick = 0
                self._held.quotation_void()
            self._blank = True
        empty = not rest.strip(BLANKS)
        self._blank = self._blank and empty
        self._line = bool(lines) and empty
        self._silent = self._silent and not text.strip(BLANKS)


def read(text: str, tools: Mapping[str, Mapping[str, Any] | None], notations: frozenset[str] = ALL) -> Reading:
    """Read a reply that is there as a whole; the reading has all of the text that is to be shown.

    Args:
        text: The reply.
        tools: As for `Reader`.
        notations: As for `Reader`.
    """
    reader = Reader(tools, notations)
    shown = reader.feed(text)
    reading = reader.finish()
    return replace(reading, text=shown + reading.text)
