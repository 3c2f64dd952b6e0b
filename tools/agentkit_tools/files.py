"""Tools for the files of one folder, which cannot be left.

    agent = Agent("deepseek:deepseek-flash", tools=files("notes"))

What a model asks for is not trusted, since a prompt, a web page or a file that it has read may have put it up to it.
So paths are relative and have no `..`; a symbolic link counts as the place it leads to, and is refused where that is
outside; devices, pipes and sockets are never opened; names that begin with a dot (`.env`, `.git`) are as good as not
there; and every answer, and the work for it, has a largest size. Paths are opened one part at a time from the folder
itself, without following links (openat(2) with O_NOFOLLOW), so a link that is put in place after the check leads
nowhere either. A hard link is the file itself and cannot be told from it: what can be reached by one can be read.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from agentkit import ConfigurationError, Tool, ToolError, tool
from agentkit_tools._text import one_line

MAX_BYTES = 32_000
"""The largest answer and the largest file to write, in bytes of UTF-8, unless `files` is told another number."""

MAX_LINES = 500
"""How many lines one `read_file` gives at most."""

MAX_ENTRIES = 500
"""How many entries one `list_files` gives at most."""

MAX_MATCHES = 100
"""How many matches one `search_files` gives at most."""

MAX_SCANNED = 64 * 1024 * 1024
"""How many bytes one call reads at most, on its way to a late line or over the files of a search."""

MAX_WALKED = 20_000
"""How many files and folders one call looks at."""

MATCH_WIDTH = 300
"""How many characters of a line one match shows."""

MAX_PATH = 1024
"""How many characters a path may have."""

MAX_DEPTH = 64
"""How many folders, one in the other, are gone down."""

_NOTES = 1000
"""Room in an answer for what is said beside the text, in characters."""

_SNIFFED = 8192
_BLOCK = 65_536
_ANCHORED = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_PLAIN = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def files(
    root: str | os.PathLike[str], *, write: bool = False, hidden: bool = False, max_bytes: int = MAX_BYTES
) -> list[Tool[..., Any]]:
    """Tools bound to one folder: `list_files`, `read_file`, `search_files`, and `write_file` where that is wanted.

    Args:
        root: The folder. It and its symbolic links are resolved now, once.
        write: Whether there is a `write_file`.
        hidden: Whether names that begin with a dot can be seen and used.
        max_bytes: The largest answer, and the largest file that can be written, in bytes of UTF-8.

    Raises:
        ConfigurationError: `root` is no folder, or `max_bytes` is less than 1.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise ConfigurationError(f"`files({str(root)!r})`: there is no such folder")
    if max_bytes < 1:
        raise ConfigurationError(f"`files(max_bytes={max_bytes})`: it must be 1 or more")
    place = _Folder(folder.resolve(), hidden, max_bytes)
    return [*_reading(place), *([_writing(place)] if write else [])]


def _reading(place: _Folder) -> list[Tool[..., Any]]:
    @tool(side_effects="none", max_result=place.max_bytes + _NOTES)
    def list_files(folder: str = ".") -> str:
        """List the files and subfolders of a folder, with their sizes in bytes.

        Args:
            folder: The folder, relative to the top one, which is ".".
        """
        return place.list(folder)

    @tool(side_effects="none", max_result=place.max_bytes + _NOTES)
    def read_file(path: str, start_line: int = 1, max_lines: int = MAX_LINES) -> str:
        """Read a text file, or some of its lines.

        Args:
            path: The file, relative to the top folder, e.g. notes/today.md.
            start_line: The first line wanted, from 1.
            max_lines: How many lines at most.
        """
        return place.read(path, start_line, max_lines)

    @tool(side_effects="none", max_result=place.max_bytes + _NOTES)
    def search_files(text: str, folder: str = ".") -> str:
        """Search all text files under a folder for lines that contain a text; upper and lower case count the same.

        Args:
            text: The text to look for, as it is (no pattern).
            folder: The folder to search in, relative to the top one, which is ".".
        """
        return place.search(text, folder)

    return [list_files, read_file, search_files]


def _writing(place: _Folder) -> Tool[..., Any]:
    @tool(side_effects="idempotent", sequential=True)
    def write_file(path: str, text: str) -> str:
        """Write a text file; one that is there already is replaced as a whole. Missing folders are made.

        Args:
            path: The file, relative to the top folder, e.g. notes/today.md.
            text: The whole new content.
        """
        return place.write(path, text)

    return write_file


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is not left. `root` is absolute and has no symbolic links in it."""

    root: Path
    hidden: bool
    max_bytes: int

    # What the tools do.

    def list(self, folder: str) -> str:
        with self._folder(self._inside(folder), folder) as entries:
            seen = list(itertools.islice(entries, MAX_WALKED))
            lines = sorted(_entry(one) for one in seen if self._shown(one.name))
        kept = _fitting(lines[:MAX_ENTRIES], self.max_bytes)
        if not lines:
            return "(empty)"
        if len(seen) == MAX_WALKED:
            return "\n".join([*kept, "[there are more entries than can be shown]"])
        left = len(lines) - len(kept)
        return "\n".join([*kept, f"[{left} more entries are not shown]"] if left else kept)

    def read(self, path: str, start_line: int, max_lines: int) -> str:
        if start_line < 1 or max_lines < 1:
            raise ToolError("`start_line` and `max_lines` must be 1 or more")
        max_lines = min(max_lines, MAX_LINES)
        with self._file(self._inside(path), path) as file:
            _refuse_binary(file, path)
            skipped = _skip(file, start_line - 1)
            if skipped < start_line - 1:
                why = f"it has {skipped} lines" if file.tell() < MAX_SCANNED else "it is too long to go that far"
                raise ToolError(f"`{_plain(path)}` has no line {start_line} that can be read: {why}")
            lines, room = list[bytes](), self.max_bytes
            while len(lines) < max_lines and room > 0 and (line := file.readline(room)):
                lines.append(line)
                room -= len(line)
            more = bool(file.read(1))
        text = b"".join(lines).decode("utf-8", "replace")
        if not more:
            return text or "(empty)"
        if lines and not lines[-1].endswith(b"\n"):
            return f"{text}\n[line {start_line + len(lines) - 1} goes on: it is too long to show whole]"
        return f"{text}[more lines follow: go on with start_line={start_line + len(lines)}]"

    def search(self, text: str, folder: str) -> str:
        wanted = text.strip("\n").casefold()
        if not wanted.strip() or "\n" in wanted:
            raise ToolError("`text` must be one line of text to look for")
        found, left, whole = list[str](), MAX_SCANNED, False
        start = self._inside(folder)
        for path in self._walk(start, folder):
            if path is None:
                whole = True
            elif len(found) > MAX_MATCHES or left <= 0:
                break
            else:
                name = _plain(path.relative_to(self.root).as_posix())
                with contextlib.suppress(ToolError), self._file(path, name) as file:
                    _refuse_binary(file, name)
                    room = MAX_MATCHES + 1 - len(found)
                    matches = itertools.islice(_matches(file, wanted, left), room)
                    found += [f"{name}:{at}: {one_line(line.strip(), MATCH_WIDTH)}" for at, line in matches]
                    left -= file.tell()
        kept = _fitting(found[:MAX_MATCHES], self.max_bytes)
        if not found and whole:
            return f"no line contains {one_line(text.strip(), MATCH_WIDTH)!r}"
        if len(kept) == len(found) and whole:
            return "\n".join(kept)
        return "\n".join([*kept, "[this is not all: search in a subfolder, or for a rarer text]"])

    def write(self, path: str, text: str) -> str:
        data = text.encode("utf-8", "replace")
        if len(data) > self.max_bytes:
            raise ToolError(f"the text has {len(data)} bytes, but only {self.max_bytes} may be written at once")
        if any(character < " " or character == "\x7f" for character in path):
            raise ToolError(f"`{_plain(path)}` is refused: a name must have no line break or other control character")
        target = self._inside(path)
        if target == self.root:
            raise ToolError("`path` must name a file, not the folder")
        with _refusals(path):
            new = not target.exists()
            if not new and not target.is_file():
                raise ToolError(f"`{_plain(path)}` is not a regular file")
            if _ANCHORED:
                self._write_at(target, data)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        return f"{'wrote' if new else 'replaced'} {_plain(path)} ({len(data)} bytes)"

    def _write_at(self, target: Path, data: bytes) -> None:
        """Write beside the target and rename: nobody sees half a file, and a link in its place is not followed."""
        at = self._descend(target.parent, make=True)
        name = f".{secrets.token_hex(8)}.tmp"
        try:
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _PLAIN, 0o666, dir_fd=at)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                    with contextlib.suppress(FileNotFoundError):  # a new file has the mode that it was made with
                        before = os.stat(target.name, dir_fd=at, follow_symlinks=False).st_mode
                        os.fchmod(fd, before & 0o777)  # what ran as its owner (setuid) must not with other content
                os.rename(name, target.name, src_dir_fd=at, dst_dir_fd=at)
            except BaseException:
                os.unlink(name, dir_fd=at)
                raise
        finally:
            os.close(at)

    # Where a path leads.

    def _inside(self, path: str) -> Path:
        """The place that a path means, without symbolic links.

        Raises:
            ToolError: It is outside, hidden, or no path at all.
        """
        if "\0" in path or not _encodable(path):
            raise ToolError(f"`{_plain(path)}` is no path: it holds a character that no path can have")
        given = Path(path if path.strip() else ".") if len(path) <= MAX_PATH else Path()
        if len(path) > MAX_PATH or len(given.parts) > MAX_DEPTH:
            raise ToolError(f"`{one_line(path, 60)}` is too long a path")
        if given.is_absolute() or given.drive or given.root or ".." in given.parts:
            raise ToolError(
                f"`{_plain(path)}` is refused: give a path inside the folder, without `..` or a leading slash"
            )
        with _refusals(path):
            real = (self.root / given).resolve()
        if real != self.root and self.root not in real.parents:
            raise ToolError(f"`{_plain(path)}` leads out of the folder and is refused")
        parts = (*given.parts, *real.relative_to(self.root).parts)
        if not self.hidden and any(_dotted(part) for part in parts):
            raise ToolError(f"`{_plain(path)}` is hidden and is refused")
        return real

    @contextlib.contextmanager
    def _folder(self, path: Path, name: str) -> Generator[Iterator[os.DirEntry[str]]]:
        """The entries of a folder."""
        with _refusals(name):
            at = self._descend(path) if _ANCHORED else path
            try:
                with os.scandir(at) as entries:
                    yield entries
            finally:
                if isinstance(at, int):
                    os.close(at)

    @contextlib.contextmanager
    def _file(self, path: Path, name: str) -> Generator[BinaryIO]:
        """A regular file, open to be read."""
        with _refusals(name):
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind):
                raise ToolError(f"`{_plain(name)}` is a folder; `list_files` shows what is in it")
            at = self._open(path) if stat.S_ISREG(kind) else -1  # to open a device may do something, or never end
            if at < 0 or not stat.S_ISREG(os.fstat(at).st_mode):
                if at >= 0:
                    os.close(at)
                raise ToolError(f"`{_plain(name)}` is not a regular file and is refused")
            with os.fdopen(at, "rb") as file:
                yield file

    def _open(self, path: Path) -> int:
        flags = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | _PLAIN
        if not _ANCHORED:
            return os.open(path, flags)
        parent = self._descend(path.parent)
        try:
            return os.open(path.name, flags, dir_fd=parent)
        finally:
            os.close(parent)

    def _descend(self, folder: Path, *, make: bool = False) -> int:
        """A descriptor of a folder, reached part by part from the root without following a link."""
        flags = os.O_RDONLY | os.O_DIRECTORY | _NO_LINK | _PLAIN
        at = os.open(self.root, flags)
        for part in folder.relative_to(self.root).parts:
            try:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=at)
                below = os.open(part, flags, dir_fd=at)
            finally:
                os.close(at)
            at = below
        return at

    # What a folder holds.

    def _shown(self, name: str) -> bool:
        return self.hidden or not _dotted(name)

    def _walk(self, folder: Path, name: str) -> Iterator[Path | None]:
        """The regular files under a folder, those of a folder before those of its subfolders; `None` after the last.

        Links are not followed. Without the `None` there were more entries, or deeper folders, than one call looks at.
        """
        waiting, looked, deeper = [folder], 0, False
        while waiting:
            place = waiting.pop()
            try:
                with self._folder(place, name) as entries:
                    seen = sorted(itertools.islice(entries, MAX_WALKED - looked), key=lambda one: one.name)
                    looked += len(seen)
                    seen = [one for one in seen if self._shown(one.name)]
                    files = [one.name for one in seen if one.is_file(follow_symlinks=False)]
                    folders = [one.name for one in seen if one.is_dir(follow_symlinks=False)]
            except ToolError:
                if place == folder:
                    raise
                continue  # a folder that may not be read
            yield from (place / one for one in files)
            if len(place.relative_to(self.root).parts) < MAX_DEPTH:
                waiting += [place / one for one in reversed(folders)]
            else:
                deeper = deeper or bool(folders)
            if looked >= MAX_WALKED:
                return
        if not deeper:
            yield None


def _entry(entry: os.DirEntry[str]) -> str:
    name = _plain(entry.name)
    try:
        if entry.is_symlink():
            return f"{name}  (link)"
        if entry.is_dir(follow_symlinks=False):
            return f"{name}/"
        if entry.is_file(follow_symlinks=False):
            return f"{name}  {entry.stat(follow_symlinks=False).st_size}"
    except OSError:
        return f"{name}  (cannot be read)"
    return f"{name}  (not a regular file)"


@contextlib.contextmanager
def _refusals(path: str) -> Generator[None]:
    """What the system refuses, in words that the model can use; they hold no path but the one it gave."""
    try:
        yield
    except OSError as error:
        words = {
            errno.ENOENT: "is not there",
            errno.ENOTDIR: "is not there",
            errno.ELOOP: "is a symbolic link that cannot be followed",
            errno.EACCES: "may not be used",
            errno.EPERM: "may not be used",
            errno.ENAMETOOLONG: "is too long a name",
        }.get(error.errno or 0, f"cannot be used ({errno.errorcode.get(error.errno or 0, 'an error')})")
        raise ToolError(f"`{_plain(path)}` {words}") from error
    except RuntimeError as error:  # how `Path.resolve` reports a loop of links before Python 3.13
        raise ToolError(f"`{_plain(path)}` is a symbolic link that cannot be followed") from error


def _refuse_binary(file: BinaryIO, path: str) -> None:
    start = file.read(_SNIFFED)
    file.seek(0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, len(start) < _SNIFFED)
    except UnicodeDecodeError:
        start = b"\0"
    if b"\0" in start:
        raise ToolError(f"`{_plain(path)}` is not a text file in UTF-8 ({os.fstat(file.fileno()).st_size} bytes)")
    if start.startswith(codecs.BOM_UTF8):
        file.seek(len(codecs.BOM_UTF8))


def _skip(file: BinaryIO, lines: int) -> int:
    """Go on by so many lines, or as far as may be read; how many were passed."""
    passed = 0
    while passed < lines and (room := MAX_SCANNED - file.tell()) > 0 and (block := file.read(min(room, _BLOCK))):
        ends = block.count(b"\n")
        if passed + ends < lines:
            passed += ends
            continue
        at = -1
        for _ in range(lines - passed):
            at = block.index(b"\n", at + 1)
        file.seek(at + 1 - len(block), os.SEEK_CUR)
        return lines
    return passed


def _matches(file: BinaryIO, wanted: str, most: int) -> Iterator[tuple[int, str]]:
    """The lines that hold a casefolded text, with their numbers, within so many bytes; a very long line in pieces.

    Whole blocks are searched, and only those that hold the text taken apart: a file may be nothing but line breaks.
    """
    number = 1
    while (room := most - file.tell()) > 0 and (block := file.read(min(room, _BLOCK))):
        block += file.readline(_BLOCK)
        text = block.decode("utf-8", "replace")
        if wanted in text.casefold():
            yield from ((at, line) for at, line in enumerate(text.split("\n"), number) if wanted in line.casefold())
        number += block.count(b"\n")


def _fitting(lines: list[str], most: int) -> list[str]:
    """The first lines that take up to `most` bytes in all."""
    kept = list[str]()
    for line in lines:
        most -= len(line.encode("utf-8", "replace")) + 1
        if most < 0:
            break
        kept.append(line)
    return kept


def _plain(name: str) -> str:
    """A name as it can be shown in a line: control characters and undecodable bytes as `?`."""
    shown = (
        os.fsencode(name).decode("utf-8", "replace") if _encodable(name) else name.encode("utf-8", "replace").decode()
    )
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _dotted(name: str) -> bool:
    """Whether a name is a hidden one; some file systems do not see the characters that nobody sees."""
    return name not in (".", "..") and next((one for one in name if one.isprintable()), "").startswith(".")


def _encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
