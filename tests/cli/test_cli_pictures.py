"""The pictures of the command line in `docs/images` show what the commands write today, but for times and ids."""

import importlib.util
import sys

import pytest
from shell import ROOT

FOLDER = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_pictures", FOLDER / "make.py")
    module = sys.modules["make_pictures"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "chat", "doctor"])
def test_a_picture_is_what_its_command_writes(make, name, tmp_path):
    (picture,) = [one for one in make.PICTURES if one.name == name]
    folder = tmp_path / "folder"
    folder.mkdir()
    make.draw(make.made(picture, folder), tmp_path / f"{name}.svg")
    assert make.words_of(tmp_path / f"{name}.svg") == make.words_of(FOLDER / f"{name}.svg")
    drawn = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert "url(http" not in drawn
    assert str(ROOT) not in drawn


def test_every_picture_is_there_and_is_made_by_the_script(make):
    assert {path.stem for path in FOLDER.glob("*.svg")} == {one.name for one in make.PICTURES}


def test_the_screen_holds_what_was_written_last(make):
    assert make.screen("a\r\nb\x1b[31mc\x1b[0m\r\n\x1b[1A\x1b[2Kd\x1b[?25h\r\n\n") == ["a", "d"]
