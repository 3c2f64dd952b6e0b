"""What is found in a reply's text: calls, calls that were begun and cannot be read, and the text around them."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.frozen import frozen


@frozen
class TextCall:
    """A call that was written as text.

    Attributes:
        name: The tool's name, one of those that were known to the reader.
        arguments: The text of one JSON object, as the model wrote it where the notation holds JSON.
        notation: The notation that it was written in, one of `ALL`.
    """

    name: str
    arguments: str
    notation: str


@frozen
class Unread:
    """A call that was begun and cannot be read.

    Attributes:
        notation: The notation that it was written in, one of `ALL`.
        problem: What is wrong, in a sentence for the model.
        text: What was written, markup and all. A mark that holds several calls has its text at the first that is
            wrong, and `""` at the others.
        stranger: Whether it names a tool that there is not.
    """

    notation: str
    problem: str
    text: str = ""
    stranger: bool = False


@frozen
class Found:
    """What one mark in the text turned out to hold.

    Attributes:
        calls: The calls that can be run.
        unread: What was begun and cannot be read.
        alone: Whether it is a call only where nothing but calls follows it to the end of the reply. What is also
            written as an example (a fence, a list in Python) is taken for one as soon as the reply talks on.
        lost: Whether it is broken so that nobody can tell where it ends. What follows may be the inside of one of its
            texts, so nothing there is a call.
    """

    calls: tuple[TextCall, ...] = ()
    unread: tuple[Unread, ...] = ()
    alone: bool = False
    lost: bool = False


@frozen
class Reading:
    """A reply that was read to its end.

    Attributes:
        text: What is to be shown after all that `feed` gave.
        calls: The calls, in the order of the text.
        unread: The calls that were begun and cannot be read, in the order of the text.
        cut: What followed an answer to the calls that the model invented, with that answer; `""` where there is none.
    """

    text: str
    calls: tuple[TextCall, ...] = ()
    unread: tuple[Unread, ...] = ()
    cut: str = ""

    @property
    def problem(self) -> str | None:
        """What is wrong with the calls that cannot be read, in words for the model; `None` where all can be."""
        return "\n".join(dict.fromkeys(one.problem for one in self.unread)) or None


def unread(notation: str, problem: str, *, lost: bool = False) -> Found:
    """A call that was begun and cannot be read, alone."""
    return Found(unread=(Unread(notation, problem),), lost=lost)


def merged(parts: Sequence[Found]) -> Found:
    """All of these, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Found(
        tuple(call for part in parts for call in part.calls),
        tuple(one for part in parts for one in part.unread),
        any(part.alone for part in parts),
        any(part.lost for part in parts),
    )
