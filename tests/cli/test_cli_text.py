"""What models and tools say is made safe before it is shown."""

from hypothesis import given
from hypothesis import strategies as st
from shell import CONTROL

from agentkit.cli.flow import Flow
from agentkit.cli.text import call_line, clean, one_line

HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\x9b2J\x08\u202egnp\u2066x\x7f"
texts = st.text(st.characters() | st.sampled_from(list(HOSTILE)))


@given(texts)
def test_no_control_character_survives_and_nothing_else_is_lost(text):
    assert clean(text) == CONTROL.sub("", "".join(letter for letter in text if not "\ud800" <= letter <= "\udfff"))


@given(texts, st.integers(0, 50))
def test_a_text_cut_in_two_is_cleaned_as_the_whole(text, at):
    assert clean(text[:at]) + clean(text[at:]) == clean(text)


@given(texts, texts)
def test_a_call_is_one_safe_line_whatever_its_name_and_arguments(name, arguments):
    line = call_line(name, arguments)
    assert "\n" not in line
    assert not CONTROL.search(line)
    assert len(line) <= 400


def test_a_call_is_written_as_in_python():
    assert (
        call_line("weather", '{"city": "Paris", "days": 2, "tags": ["a"]}')
        == 'weather(city="Paris", days=2, tags=["a"])'
    )
    assert call_line("now", "") == call_line("now", "{}") == "now()"
    assert call_line("now", "[1") == "now([1)"


def test_a_long_text_is_cut_and_says_so():
    assert one_line("word " * 10_000) == ("word " * 80)[:399] + "…"
    assert one_line("a\n\tb  c") == "a b c"


def flowed(pieces, width):
    written = []
    flow = Flow(written.append, start=4, indent=4, width=width)
    for piece in pieces:
        flow.feed(piece)
    flow.end()
    return "".join(written)


@given(st.lists(st.text("ab 漢\n", max_size=6)), st.sampled_from([None, 12]))
def test_streamed_words_are_laid_out_alike_however_they_are_cut(pieces, width):
    assert flowed(pieces, width) == flowed(["".join(pieces)], width)


def test_streamed_words_keep_their_indent_and_their_width():
    assert flowed(["one two three\nfour fi", "ve"], 12) == "one two\n    three\n    four\n    five\n"
    assert flowed(["one two three\nfour"], None) == "one two three\n    four\n"
