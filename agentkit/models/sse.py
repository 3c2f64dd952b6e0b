"""Server-sent events: bytes to data payloads (WHATWG HTML, section 9.2; WIRE section 5).

Only `data` matters to a chat endpoint. Comments (`: keep-alive`), `event`, `id` and `retry` are skipped. A read is
handled in one synchronous pass, and the usual event, one `data: ` line and a blank one, costs a split and a slice.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"
_KEPT = 4096


class Events:
    """Collects the bytes of one stream, cut anywhere, and gives the payload of each event once it is complete.

    Attributes:
        begun: Whether an event with data has come; comments and blank lines only keep the connection alive.
        stray: The first lines (up to 4 KiB) that are no server-sent events, such as an HTML page or a bare JSON object.
    """

    __slots__ = ("_bom", "_cr", "_lines", "_pieces", "begun", "stray")

    def __init__(self) -> None:
        self.begun = False
        self.stray = b""
        self._pieces: list[bytes] = []  # the line under way, as it came: joined once, when its end is there
        self._lines: list[bytes] = []  # the data lines of the event under way
        self._cr = False  # the last byte was a carriage return, so a line feed that follows belongs to it
        self._bom = True  # nothing was read yet, so a byte order mark may come

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads of the events that these bytes complete, data lines of one event joined with a line feed."""
        if self._cr and chunk:
            self._cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._pieces:
            self._pieces.append(chunk)
            if b"\n" not in chunk and not self._bom:
                return []
            chunk = b"".join(self._pieces)
            self._pieces = []
        if self._bom:
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._pieces = [chunk]
                return []
            self._bom = False
            chunk = chunk.removeprefix(_BOM)
        return self._split(chunk)

    @property
    def between(self) -> bool:
        """Whether what comes next begins an event."""
        return not (self._pieces or self._lines or self._cr or self._bom)

    def close(self) -> list[bytes]:
        """What is left when the stream has ended without its last blank line, which some endpoints leave out."""
        out = self._split(b"".join(self._pieces) + b"\n\n")
        self._pieces = []
        return out

    def _split(self, text: bytes) -> list[bytes]:
        end = text.rfind(b"\n\n")
        out: list[bytes] = []
        if end >= 0 and not self._lines and text.startswith(b"data: "):
            out = text[6:end].split(b"\n\ndata: ")
            if text.count(b"\n", 0, end) != 2 * len(out) - 2:  # not all of them are plain events of one line
                out = []
        if not out and end >= 0:
            for block in text[:end].split(b"\n\n"):
                self._read(block, out)
                self._complete(out)
        rest = text[end + 2 :] if end >= 0 else text
        if b"\n" in rest:
            lines, _, rest = rest.rpartition(b"\n")
            self._read(lines, out)
        if rest:
            self._pieces = [rest]
        if out:
            self.begun = True
        return out

    def _read(self, lines: bytes, out: list[bytes]) -> None:
        for line in lines.split(b"\n"):
            field, colon, value = line.partition(b":")
            if field == b"data":
                self._lines.append(value.removeprefix(b" "))
            elif not line:
                self._complete(out)
            elif field not in (b"", b"event", b"id", b"retry") and len(self.stray) < _KEPT:
                self.stray = b"\n".join((self.stray, field + colon + value))[:_KEPT] if self.stray else line[:_KEPT]

    def _complete(self, out: list[bytes]) -> None:
        if self._lines:
            out.append(b"\n".join(self._lines))
            self._lines = []
