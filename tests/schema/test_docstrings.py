"""Docstrings of four styles, and what becomes of those that follow none."""

import textwrap

import docstring_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.schema.docstrings import Doc, flow, parse

GOOGLE = """Forecast for a city.

    It is made anew each hour.

    Args:
        city (str): City name,
            e.g. Paris.
        days (int, optional): How many days, 1 to 7. Default: 1.
        *rest: Others.

    Returns:
        The forecast.

    Raises:
        ValueError: No such city.
    """
NUMPY = """Forecast for a city.

    It is made anew each hour.

    Parameters
    ----------
    city : str
        City name,
        e.g. Paris.
    days : int, optional
        How many days, 1 to 7. Default: 1.
    *rest
        Others.

    Raises
    ------
    ValueError
        No such city.
    """
REST = """Forecast for a city.

    It is made anew each hour.

    :param city: City name,
        e.g. Paris.
    :type city: str
    :param int days: How many days, 1 to 7. Default: 1.
    :param rest: Others.
    :raises ValueError: No such city.
    :rtype: str
    """
EPYDOC = """Forecast for a city.

    It is made anew each hour.

    @param city: City name,
        e.g. Paris.
    @type city: str
    @param days: How many days, 1 to 7. Default: 1.
    @param rest: Others.
    @raise ValueError: No such city.
    """
PARAMETERS = {
    "city": "City name, e.g. Paris.",
    "days": "How many days, 1 to 7. Default: 1.",
    "rest": "Others.",
}


@pytest.mark.parametrize("text", [NUMPY, REST, EPYDOC], ids=["numpy", "rest", "epydoc"])
def test_each_style_gives_the_same(text: str) -> None:
    assert parse(text) == Doc("Forecast for a city.\n\nIt is made anew each hour.", PARAMETERS)


def test_google_style_gives_the_same_and_keeps_what_is_returned() -> None:
    doc = parse(GOOGLE)
    assert doc.parameters == PARAMETERS
    assert doc.description == "Forecast for a city.\n\nIt is made anew each hour.\n\nReturns:\n    The forecast."


def test_google_style_is_read_as_docstring_parser_reads_it() -> None:
    known = docstring_parser.google.parse(GOOGLE)
    found = parse(GOOGLE)
    assert {
        one.arg_name.lstrip("*"): flow((one.description or "").split("\n")) for one in known.params
    } == found.parameters
    assert found.description.startswith(f"{known.short_description}\n\n{known.long_description}")


@pytest.mark.parametrize(
    "header", ["Args", "Arguments", "Parameters", "Params", "Keyword Args", "Other Parameters", "参数"]
)
def test_the_section_may_have_any_of_its_names(header: str) -> None:
    assert parse(f"Sum.\n\n{header}:\n    x: The x.\n") == Doc("Sum.", {"x": "The x."})


@pytest.mark.parametrize("header", ["Note", "Example", "Examples", "Warning", "Yields", "Returns"])
def test_other_sections_stay_in_the_description(header: str) -> None:
    assert parse(f"Sum.\n\n{header}:\n    x: y\n") == Doc(f"Sum.\n\n{header}:\n    x: y", {})


CASES = {
    "nothing": (None, Doc()),
    "empty": ("", Doc()),
    "blank": ("   \n  ", Doc()),
    "one line": ("Do it.", Doc("Do it.")),
    "only parameters": ("Args:\n    x: The x.\n    y: The y.", Doc("", {"x": "The x.", "y": "The y."})),
    "no blank line before": ("Sum.\nArgs:\n    x: The x.", Doc("Sum.", {"x": "The x."})),
    "blank line after the header": ("Sum.\n\nArgs:\n\n    x: The x.", Doc("Sum.", {"x": "The x."})),
    "blank lines between": (
        "Sum.\n\nArgs:\n    x: The x.\n\n    y: The y.",
        Doc("Sum.", {"x": "The x.", "y": "The y."}),
    ),
    "tabs": (
        "Sum.\n\n\tArgs:\n\t\tx:\tThe x.\n\t\ty: The y,\n\t\t\tmore.",
        Doc("Sum.", {"x": "The x.", "y": "The y, more."}),
    ),
    "text after": ("Sum.\n\nArgs:\n    x: The x.\n\nTail.", Doc("Sum.\n\nTail.", {"x": "The x."})),
    "paragraphs": (
        "Sum.\n\nArgs:\n    x: One.\n\n        Two.\n    y: The y.",
        Doc("Sum.", {"x": "One.\n\nTwo.", "y": "The y."}),
    ),
    "list": ("Sum.\n\nArgs:\n    x: One of\n        - a\n        - b", Doc("Sum.", {"x": "One of\n- a\n- b"})),
    "type with brackets": ("Sum.\n\nArgs:\n    x (dict[str, Any], optional): The x.", Doc("Sum.", {"x": "The x."})),
    "type with parentheses": ("Sum.\n\nArgs:\n    x (Callable[(int)]): The x.", Doc("Sum.", {"x": "The x."})),
    "colon in the text": ("Sum.\n\nArgs:\n    x: a: b: c", Doc("Sum.", {"x": "a: b: c"})),
    "stars": ("Sum.\n\nArgs:\n    *a: A.\n    **b: B.", Doc("Sum.", {"a": "A.", "b": "B."})),
    "dash for colon": ("Sum.\n\nArgs:\n    x - The x.", Doc("Sum.", {"x": "The x."})),
    "entry without text": ("Sum.\n\nArgs:\n    x:\n    y: The y.", Doc("Sum.", {"x": "", "y": "The y."})),
    "text on the next line": ("Sum.\n\nArgs:\n    x:\n        The x.", Doc("Sum.", {"x": "The x."})),
    "no entry": ("Sum.\n\nArgs:\n    whatever you like\n", Doc("Sum.\n\n    whatever you like")),
    "two sections": ("Sum.\n\nArgs:\n    x: X.\n\nKeyword Args:\n    y: Y.", Doc("Sum.", {"x": "X.", "y": "Y."})),
    "chinese": (
        "查询天气。\n\nArgs:\n    城市: 城市名称,\n        例如巴黎。\n    days:天数。",
        Doc("查询天气。", {"城市": "城市名称,例如巴黎。", "days": "天数。"}),
    ),
    "full-width colons": (
        "查询天气。\n\n参数\uff1a\n    city\uff1a 城市。\n    天数\uff1a几天。",
        Doc("查询天气。", {"city": "城市。", "天数": "几天。"}),
    ),
    "japanese in reST": ("天気。\n\n:param city: 都市の\n    名前", Doc("天気。", {"city": "都市の名前"})),
    "reST with returns": (
        "Sum.\n\n:param x: The x.\n:returns: A number,\n  or none.\n:rtype: int",
        Doc("Sum.\n\nReturns: A number,\n  or none.", {"x": "The x."}),
    ),
    "reST with text after": ("Sum.\n\n:param x: The x.\n\nTail.", Doc("Sum.\n\nTail.", {"x": "The x."})),
    "reST with roles": (
        "Sum.\n\n:class:`X` is a class: yes.\n\n:param x: A :class:`X`.",
        Doc("Sum.\n\n:class:`X` is a class: yes.", {"x": "A :class:`X`."}),
    ),
    "reST paragraphs": (
        "Sum.\n\n:param x: One.\n\n    Two.\n:param y: Y.",
        Doc("Sum.", {"x": "One.\n\nTwo.", "y": "Y."}),
    ),
    "reST star": ("Sum.\n\n:param \\*a: A.\n:param \\**b: B.", Doc("Sum.", {"a": "A.", "b": "B."})),
    "epydoc with return": (
        "Sum.\n\n@param x: The x.\n@return: A number.",
        Doc("Sum.\n\nReturns: A number.", {"x": "The x."}),
    ),
    "numpy with returns": (
        "Sum.\n\nParameters\n----------\nx : int\n    The x.\n\nReturns\n-------\nint\n    A number.\n",
        Doc("Sum.\n\nReturns\n-------\nint\n    A number.", {"x": "The x."}),
    ),
    "numpy two at once": (
        "Sum.\n\nParameters\n----------\nx, y : int\n    Both.\n",
        Doc("Sum.", {"x": "Both.", "y": "Both."}),
    ),
    "numpy other parameters": (
        "Sum.\n\nParameters\n----------\nx : int\n    X.\n\nOther Parameters\n----------------\ny : int\n    Y.\n",
        Doc("Sum.", {"x": "X.", "y": "Y."}),
    ),
    "numpy without types": ("Sum.\n\nParameters\n----------\nx\n    The x.\n", Doc("Sum.", {"x": "The x."})),
    "numpy without parameters": ("Sum.\n\nReturns\n-------\nint\n", Doc("Sum.\n\nReturns\n-------\nint")),
    "an example with colons": (
        "Sum.\n\nUse it so:\n\n    >>> x: int = 1\n\nArgs:\n    x: The x.",
        Doc("Sum.\n\nUse it so:\n\n    >>> x: int = 1", {"x": "The x."}),
    ),
    "a mail address": (
        "Ask me@example.org: he knows.\n\nArgs:\n    x: X.",
        Doc("Ask me@example.org: he knows.", {"x": "X."}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_docstrings_as_people_write_them(name: str) -> None:
    text, expected = CASES[name]
    assert parse(text) == expected


@pytest.mark.parametrize("name", [name for name, (text, _) in CASES.items() if text and "\n" in text])
def test_indentation_of_the_whole_does_not_matter(name: str) -> None:
    text, expected = CASES[name]
    assert text is not None
    first, _, rest = text.partition("\n")
    assert parse(first + "\n" + textwrap.indent(rest, "        ")) == expected


WORD = st.text("abcxyzABC0129", min_size=1, max_size=8)
SENTENCE = st.lists(WORD, min_size=1, max_size=12).map(" ".join)


@given(st.dictionaries(WORD.filter(str.isidentifier), SENTENCE, min_size=1, max_size=5), SENTENCE, st.integers(4, 20))
def test_whatever_is_written_in_google_style_is_read_back(parameters: dict[str, str], summary: str, width: int) -> None:
    entries: list[str] = []
    for name, words in parameters.items():
        entry = textwrap.fill(words, width + len(name), break_long_words=False)
        entries.append(f"    {name}: " + entry.replace("\n", "\n        "))
    doc = parse(f"{summary}.\n\nArgs:\n" + "\n".join(entries))
    assert doc == Doc(f"{summary}.", parameters)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(":@-\n \t"), max_size=200))
def test_no_docstring_makes_it_fail(text: str) -> None:
    for start in ("", ":param x: y\n", "@param x: y\n", "Parameters\n----------\n", "Args:\n    x: y\n"):
        doc = parse("Sum.\n\n" + start + text)
        assert doc.description.startswith("Sum.")
