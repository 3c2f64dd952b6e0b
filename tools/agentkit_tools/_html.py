"""HTML as text: headings, lists, tables and paragraphs in lines; scripts, styles and markup gone.

A page may be built to be slow to read: thousands of comments that never end, tags within tags. So pieces are found
here, in one pass that never goes back (what is opened and never closed takes the rest of the page with it, as in
browsers), and the standard library's parser is given whole tags one by one, where their attributes matter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

MAX_TAG = 20_000
"""Of a longer tag, the attributes are not read."""

_TAG = re.compile(r"<(/?+[a-zA-Z][^\s/>]*+)(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_OPENING = re.compile("<(?=[!?]|/?[a-zA-Z])")
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{7,}+);?")
_RAW = frozenset("script style textarea iframe noembed noframes xmp".split())
"""Elements whose content is no markup, and nothing to read."""

_UNSHOWN = frozenset({"template", "svg", "math", "object", "select", "canvas", "audio", "video"})
_LINES = frozenset(
    "address article aside blockquote body br center dd details dialog dir div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 head header hgroup hr legend li main menu nav ol option p pre search section summary table "
    "tbody tfoot thead tr ul".split()
)
_ATTRIBUTES = frozenset({"a", "img"})
"""Elements of which the attributes are of interest."""

_KNOWN = _LINES | _UNSHOWN | _ATTRIBUTES | {"td", "th", "title"}
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}


def text_of(page: str, *, join: Callable[[str], str] | None = None) -> tuple[str, str]:
    """The title and the text of a page, without blank space at their ends.

    Args:
        page: The HTML.
        join: Makes a link's target absolute; with it, links are written `[text](target)`.
    """
    reader = _Reader(join)
    for name, piece in _pieces(_LONG_REFERENCE.sub("\ufffd", page)):
        if not name:
            reader.handle_data(html.unescape(piece))
        elif name in _ATTRIBUTES and len(piece) <= MAX_TAG:
            reader.feed(piece)
            reader.close()  # a tag that the parser takes for unfinished must not wait for the rest of the page
        elif name.startswith("/"):
            reader.handle_endtag(name[1:])
        else:
            reader.handle_starttag(name, [])
    return reader.result()


def _pieces(page: str) -> Iterator[tuple[str, str]]:
    """The page in texts, and in whole tags with their names (`p`, `/p`) before them, in one pass."""
    at = 0
    while opening := _OPENING.search(page, at):
        start = opening.start()
        if start > at:
            yield "", page[at:start]
        if page.startswith("<!--", start):
            end = page.find("-->", start + 2)  # `<!-->` is a whole comment
            at = end + 3
        elif page.startswith(("<!", "<?"), start):
            end = page.find(">", start)
            at = end + 1
        else:
            tag = _TAG.match(page, start)
            at = end = tag.end() if tag else -1
            name = tag[1].lower() if tag else ""
            if name in _RAW:
                close = re.compile(rf"</{name}[\s/>]", re.I).search(page, at)
                at = end = close.start() if close else -1
            elif name.lstrip("/") in _KNOWN:
                yield name, page[start:end]
        if end < 0:
            return
    if at < len(page):
        yield "", page[at:]


class _Reader(HTMLParser):
    def __init__(self, join: Callable[[str], str] | None) -> None:
        super().__init__(convert_charrefs=True)
        self.join = join
        self.title = list[str]()
        self.out = list[str]()
        self.in_title = False
        self.pre = 0
        self.hidden = ("", 0)
        """An element that is not shown, and how many of its kind are open one in the other."""
        self.link: tuple[int, str] | None = None
        self.end = "\n"
        """The last character written, to join blank space."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name, depth = self.hidden
        if depth:
            self.hidden = (name, depth + (tag == name))
        elif tag in _UNSHOWN:
            self.hidden = (tag, 1)
        elif tag == "title":
            self.in_title = not self.title
        elif tag in ("td", "th"):
            self.write("" if self.end == "\n" else " | ")
        elif tag in _LINES:
            self.new_line()
            self.pre += tag == "pre"
            self.write({"li": "- ", "hr": "---\n", **_HEADINGS}.get(tag, ""))
        elif tag == "img":
            alt = dict(attrs).get("alt") or ""
            self.write(f"[{' '.join(alt.split())}]" if alt.strip() else "")
        elif tag == "a" and self.join is not None:
            self.open_link(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        name, depth = self.hidden
        if depth:
            self.hidden = (name, depth - (tag == name))
        elif tag == "title":
            self.in_title = False
        elif tag == "a":
            self.close_link()
        elif tag in _LINES:
            self.pre = max(0, self.pre - (tag == "pre"))
            self.new_line()
            if tag in _HEADINGS or tag in ("p", "table", "ul", "ol", "pre", "blockquote"):
                self.write("\n")

    def handle_data(self, data: str) -> None:
        if self.hidden[1]:
            return
        if self.in_title:
            self.title.append(data)
        elif self.pre:
            self.write(data)
        else:
            text = re.sub(r"\s+", " ", data)
            self.write(text.lstrip(" ") if self.end in " \n" else text)

    def open_link(self, target: str) -> None:
        self.close_link()
        if self.join is not None and target and len(target) < 500 and (whole := self.join(target)):
            self.link = (len(self.out), whole)
            self.write("[")

    def close_link(self) -> None:
        if self.link is not None:
            at, target = self.link
            self.link = None
            if "".join(self.out[at + 1 :]).strip():
                self.write(f"]({target})")
            else:
                del self.out[at:]
                self.end = self.out[-1][-1] if self.out else "\n"

    def new_line(self) -> None:
        self.close_link()
        if self.end != "\n":
            self.write("\n")

    def write(self, text: str) -> None:
        if text:
            self.out.append(text)
            self.end = text[-1]

    def result(self) -> tuple[str, str]:
        self.close_link()
        text = "\n".join(line.rstrip(" \t") for line in "".join(self.out).split("\n"))
        return " ".join("".join(self.title).split()), re.sub(r"\n{3,}", "\n\n", text).strip()
