"""The file tools: useful inside their folder, and blind to everything outside, whatever they are asked."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import ConfigurationError, ToolError
from agentkit_tools import files as module
from agentkit_tools.files import files

SECRET = "the secret outside"


@pytest.fixture
def place(tmp_path):
    """A folder with some files, beside things that must not be reached."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "root-private").mkdir()
    (tmp_path / "root-private" / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "notes" / "old").mkdir(parents=True)
    (root / "todo.txt").write_text("milk\nBread and butter\neggs\n")
    (root / "notes" / "monday.md").write_text("# Monday\nbuy bread\n")
    (root / "notes" / "old" / "sunday.md").write_text("rest\n")
    (root / ".env").write_text("KEY=hidden\n")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("url = bread\n")
    return root


class Kit:
    """The tools of a folder by name."""

    def __init__(self, root, **options):
        self.tools = {tool.name: tool for tool in files(root, **options)}

    def __getattr__(self, name):
        return self.tools[name]


@pytest.fixture
def kit(place):
    return Kit(place)


def test_a_folder_is_listed_with_kinds_and_sizes(kit):
    assert kit.list_files() == "notes/\ntodo.txt  27"
    assert kit.list_files("notes") == "monday.md  19\nold/"
    assert kit.list_files("./notes/old/") == "sunday.md  5"


def test_a_file_is_read_whole_or_in_part(kit):
    assert kit.read_file("todo.txt") == "milk\nBread and butter\neggs\n"
    assert kit.read_file("todo.txt", start_line=2, max_lines=1) == (
        "Bread and butter\n[more lines follow: go on with start_line=3]"
    )
    assert kit.read_file("./notes//old/sunday.md") == "rest\n"
    with pytest.raises(ToolError, match=r"no line 5 .* it has 3 lines"):
        kit.read_file("todo.txt", start_line=5)
    with pytest.raises(ToolError, match="1 or more"):
        kit.read_file("todo.txt", start_line=0)


def test_files_are_searched_without_regard_to_case(kit):
    assert kit.search_files("BREAD") == "todo.txt:2: Bread and butter\nnotes/monday.md:2: buy bread"
    assert kit.search_files("bread", "notes") == "notes/monday.md:2: buy bread"
    assert kit.search_files("b.*d") == "no line contains 'b.*d'"
    for empty in ("", "  ", "\n", "two\nlines"):
        with pytest.raises(ToolError, match="one line of text"):
            kit.search_files(empty)


OUTSIDE = [
    "..",
    "../secret.txt",
    "notes/../../secret.txt",
    "notes/../todo.txt",
    "./../root-private/secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "{outside}/secret.txt",
    "{root}/todo.txt",
    "secret\0.txt",
    "todo.txt\0.png",
    "../root-private",
    "~/.bashrc",
    "file:///etc/passwd",
    "%2e%2e/secret.txt",
    "..\\secret.txt",
    "\ud800",
    "x" * 5000,
    ".env",
    ".git/config",
    "notes/../.env",
    "link-to-secret",
    "link-to-outside/secret.txt",
    "link-to-sibling/secret.txt",
    "link-chain",
    "link-loop",
    "link-to-env",
    "notes/up/up/secret.txt",
    "pipe",
    "socket",
    "/dev/zero",
    "link-to-device",
    "nosuch",
    "todo.txt/x",
    "notes",
    "picture.png",
    "utf16.txt",
]


@pytest.fixture
def traps(place):
    """Links and special files that a model may be talked into using."""
    outside = place.parent
    (place / "link-to-secret").symlink_to(outside / "secret.txt")
    (place / "link-to-outside").symlink_to(outside)
    (place / "link-to-sibling").symlink_to(outside / "root-private")
    (place / "link-chain").symlink_to("link-to-secret")
    (place / "link-loop").symlink_to("link-loop")
    (place / "link-to-env").symlink_to(".env")
    (place / "link-to-device").symlink_to("/dev/zero")
    (place / "notes" / "up").symlink_to("..")
    os.mkfifo(place / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(place)  # the path of a socket may not be long
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    (place / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (place / "utf16.txt").write_bytes("héllo".encode("utf-16"))
    return place


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_is_not_a_text_file_inside_is_refused_in_words(traps, path):
    kit = Kit(traps, write=True)
    path = path.format(outside=traps.parent, root=traps)
    with pytest.raises(ToolError) as refused:
        kit.read_file(path)
    told = str(refused.value)
    assert SECRET not in told
    assert "hidden\n" not in told
    if str(traps.parent) not in path:
        assert str(traps.parent) not in told  # nothing is learnt of where the folder lies
    if path not in ("notes", "notes/up/up/secret.txt"):
        with pytest.raises(ToolError):
            kit.list_files(path)


ESCAPES = [
    one
    for one in OUTSIDE
    if one
    not in (
        "nosuch",
        "picture.png",
        "utf16.txt",
        "%2e%2e/secret.txt",
        "..\\secret.txt",
        "notes/up/up/secret.txt",
        "~/.bashrc",
        "file:///etc/passwd",
    )
]


@pytest.mark.parametrize("path", ESCAPES)
def test_nothing_outside_is_written(traps, path):
    before = {one: one.read_bytes() for one in traps.parent.rglob("*.txt") if one.is_file()}
    names = sorted(traps.parent.iterdir())
    with pytest.raises(ToolError):
        Kit(traps, write=True).write_file(path.format(outside=traps.parent, root=traps), "owned")
    assert {one: one.read_bytes() for one in traps.parent.rglob("*.txt") if one.is_file()} == before
    assert sorted(traps.parent.iterdir()) == names


def test_a_listing_and_a_search_show_nothing_from_outside(traps):
    kit = Kit(traps)
    listed = kit.list_files().splitlines()
    assert "pipe  (not a regular file)" in listed
    assert "link-to-secret  (link)" in listed
    assert not any(line.startswith(".") for line in listed)
    assert kit.search_files("secret") == "no line contains 'secret'"
    assert kit.search_files("hidden") == "no line contains 'hidden'"
    for folder in ("..", "/", "link-to-outside", "link-to-sibling", ".git", "nosuch", "todo.txt"):
        with pytest.raises(ToolError):
            kit.search_files("secret", folder)


def test_a_link_that_stays_inside_is_followed(traps):
    assert Kit(traps).read_file("notes/up/todo.txt").startswith("milk")
    assert Kit(traps).list_files("notes/up/notes").startswith("monday.md")


def test_hidden_names_are_there_for_those_who_ask(place):
    kit = Kit(place, hidden=True)
    assert kit.read_file(".env") == "KEY=hidden\n"
    assert kit.search_files("url =") == ".git/config:1: url = bread"
    assert ".env  11" in kit.list_files()


def test_a_link_put_in_place_after_the_check_is_not_followed(place):
    """The check resolves links; what is opened afterwards must be what was checked."""
    folder = module._Folder(place.resolve(), False, 1000)
    checked = folder._inside("notes/monday.md")
    (place / "notes" / "monday.md").unlink()
    (place / "notes" / "monday.md").symlink_to(place.parent / "secret.txt")
    with pytest.raises(ToolError, match="not a regular file"), folder._file(checked, "notes/monday.md"):
        pass
    checked = folder._inside("notes/old/sunday.md")
    (place / "notes" / "old").rename(place / "notes" / "moved")
    (place / "notes" / "old").symlink_to(place.parent / "root-private")
    (place.parent / "root-private" / "sunday.md").write_text(SECRET)
    with pytest.raises(ToolError), folder._file(checked, "notes/old/sunday.md"):
        pass


def test_answers_have_a_largest_size(place, monkeypatch):
    (place / "long.txt").write_text("a needle\n" * 10_000)
    (place / "wide.txt").write_text("ä" * 10_000)
    kit = Kit(place, max_bytes=200)
    read = kit.read_file("long.txt")
    assert read.startswith("a needle\n" * 22)
    assert len(read) < 300
    assert read.endswith("is too long to show whole]")
    wide = kit.read_file("wide.txt")
    assert wide == "ä" * 100 + "\n[line 1 goes on: it is too long to show whole]"
    assert len(kit.search_files("needle")) < 300
    assert kit.search_files("needle").endswith("rarer text]")
    many = Kit(place)
    assert many.read_file("long.txt").endswith("[more lines follow: go on with start_line=501]")
    assert many.search_files("needle").count("\n") == module.MAX_MATCHES
    for number in range(30):
        (place / f"file-{number:02}.txt").touch()
    assert len(kit.list_files()) < 300
    assert "more entries are not shown" in kit.list_files()


def test_a_search_ends_after_so_many_files_and_bytes(place, monkeypatch):
    monkeypatch.setattr(module, "MAX_WALKED", 3)
    assert Kit(place).search_files("nowhere").endswith("rarer text]")
    monkeypatch.undo()
    (place / "aaa.txt").write_text("x\n" * 1000)
    monkeypatch.setattr(module, "MAX_SCANNED", 100)
    assert Kit(place).search_files("nowhere").endswith("rarer text]")
    with pytest.raises(ToolError, match="too long to go that far"):
        Kit(place).read_file("aaa.txt", start_line=900)


def test_names_cannot_forge_lines_of_a_listing(place):
    (place / "a\n.bashrc  10").touch()
    (place / "b\x1b[2J").touch()
    listed = Kit(place).list_files()
    assert "a?.bashrc  10  0" in listed
    assert "b?[2J  0" in listed


@pytest.mark.parametrize("name", ["a.txt\n", "a\nb", "\x1b[2Ja", "a\tb", "a\x7f", "new\r/a.txt"])
def test_no_file_is_made_whose_name_a_terminal_would_obey(place, name):
    before = sorted(place.rglob("*"))
    with pytest.raises(ToolError, match="control character"):
        Kit(place, write=True).write_file(name, "x")
    assert sorted(place.rglob("*")) == before


def test_text_keeps_its_line_breaks_and_loses_its_byte_order_mark(place):
    (place / "bom.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    (place / "empty.txt").touch()
    (place / "latin.txt").write_bytes(b"caf\xe9")
    kit = Kit(place)
    assert kit.read_file("bom.txt") == "one\r\ntwo"
    assert kit.read_file("empty.txt") == "(empty)"
    with pytest.raises(ToolError, match=r"not a text file in UTF-8 \(4 bytes\)"):
        kit.read_file("latin.txt")


def test_writing_is_there_only_where_it_was_asked_for(place, kit):
    assert sorted(kit.tools) == ["list_files", "read_file", "search_files"]
    assert kit.read_file.side_effects == "none"
    kit = Kit(place, write=True, max_bytes=100)
    assert kit.write_file("new/deep/file.txt", "grüße\n") == "wrote new/deep/file.txt (8 bytes)"
    assert (place / "new" / "deep" / "file.txt").read_text(encoding="utf-8") == "grüße\n"
    (place / "todo.txt").chmod(0o640)
    assert kit.write_file("todo.txt", "x") == "replaced todo.txt (1 bytes)"
    assert (place / "todo.txt").stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in place.iterdir()) == [".env", ".git", "new", "notes", "todo.txt"]
    with pytest.raises(ToolError, match="101 bytes, but only 100"):
        kit.write_file("big.txt", "x" * 101)
    with pytest.raises(ToolError):
        kit.write_file(".", "x")


def test_paths_and_folders_have_a_largest_depth(place):
    kit = Kit(place, write=True)
    for path in ("a/" * 100_000, "x" * 1_000_000, "b/" * 65 + "c", "notes/" + "./" * 600):
        for tool in (kit.read_file, kit.list_files, lambda path: kit.search_files("x", path)):
            with pytest.raises(ToolError, match="too long a path"):
                tool(path)
        with pytest.raises(ToolError, match="too long a path"):
            kit.write_file(path, "x")
    assert not (place / "b").exists()
    kit.write_file("d/" * 63 + "deep.txt", "a needle\n")
    assert kit.search_files("needle") == "d/" * 63 + "deep.txt:1: a needle"
    os.makedirs(place / ("d/" * 66))
    assert kit.search_files("nowhere").endswith("rarer text]")


def test_a_file_of_nothing_but_line_breaks_is_no_trap(place):
    """Line by line, this would take minutes."""
    (place / "breaks.txt").write_bytes(b"\n" * (32 * 1024 * 1024) + b"a needle")
    kit = Kit(place)
    assert kit.search_files("needle", ".") == f"breaks.txt:{32 * 1024 * 1024 + 1}: a needle"
    assert kit.read_file("breaks.txt", start_line=32 * 1024 * 1024 + 1) == "a needle"
    with pytest.raises(ToolError, match=f"it has {32 * 1024 * 1024} lines"):
        kit.read_file("breaks.txt", start_line=10**12)


@given(st.lists(st.sampled_from(["a", "needle", "NEEDLE x", "", "x" * 70_000, "ß"]), max_size=12), st.data())
def test_lines_are_found_and_skipped_as_they_are_counted(shared_traps, lines, data):
    (shared_traps / "lines.txt").write_text("".join(f"{line}\n" for line in lines))
    kit = Kit(shared_traps)
    found = [f"lines.txt:{at}: {line}" for at, line in enumerate(lines, 1) if "needle" in line.casefold()]
    told = kit.search_files("needle")
    assert told == ("\n".join(found) or "no line contains 'needle'")
    start = data.draw(st.integers(1, len(lines) + 2))
    if start == len(lines) + 2:
        with pytest.raises(ToolError, match=f"it has {len(lines)} lines"):
            kit.read_file("lines.txt", start_line=start)
    else:
        shown = [*lines, "(empty)"][start - 1]
        assert kit.read_file("lines.txt", start_line=start, max_lines=1).startswith(shown[:32_000])


def test_a_line_that_was_found_cannot_forge_another(place):
    (place / "forged.txt").write_text("a needle\r.bashrc:1: x\x1b[2J\u2028y\u202e\tend\n")
    assert Kit(place).search_files("needle") == "forged.txt:1: a needle?.bashrc:1: x?[2J?y? end"


def test_a_replaced_program_does_not_run_as_its_owner(place):
    (place / "todo.txt").chmod(0o4755)
    Kit(place, write=True).write_file("todo.txt", "#!/bin/sh\n")
    assert (place / "todo.txt").stat().st_mode & 0o7777 == 0o755


def test_what_nobody_sees_does_not_hide_a_dot(place):
    """Some file systems do not see such characters, and open `.env` for this name."""
    for name in ("\u200c.env", "\ufeff.git/config", "notes/\u200b.x"):
        for options in ({}, {"write": True}):
            with pytest.raises(ToolError, match="hidden"):
                Kit(place, **options).read_file(name)


def test_a_folder_that_is_not_there_is_told_at_once(place):
    with pytest.raises(ConfigurationError, match="no such folder"):
        files(place / "todo.txt")
    with pytest.raises(ConfigurationError, match="max_bytes"):
        files(place, max_bytes=0)


@given(st.lists(st.sampled_from(["..", ".", "notes", "up", "old", "link-to-outside", "todo.txt", "", "/", "\0", "~"])))
def test_no_path_leads_out(shared_traps, parts):
    kit = Kit(shared_traps)
    for tool in (kit.read_file, kit.list_files):
        try:
            told = tool("/".join(parts))
        except ToolError:
            continue
        assert SECRET not in told
        assert "root-private" not in told


@pytest.fixture(scope="module")
def shared_traps(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "root-private").mkdir()
    (outside / "todo.txt").write_text(SECRET)
    (outside / "root" / "notes" / "old").mkdir(parents=True)
    (outside / "root" / "todo.txt").write_text("milk\n")
    (outside / "root" / "notes" / "up").symlink_to("..")
    (outside / "root" / "link-to-outside").symlink_to(outside)
    return outside / "root"
