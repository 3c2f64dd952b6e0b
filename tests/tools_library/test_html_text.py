"""HTML as text: what is to be read is kept, and no page takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit_tools._html import text_of

PAGE = """<!doctype html><html><head><title>A &amp;
 B</title><style>p { color: red }</style><script>if (a < b) "</p>"; // <script></script><base href=/></head><body>
<h1>Hello  <b>you</b></h1>
<p class=don't title="x > y">One<br>two &lt;tag&gt; &eacute;&#233;&nbsp;<a href="/x">a <img alt="pic" src=x></a>
<a href=y></a>.</p>
<ul><li>first<li>second</ul>
<table><tr><th>h<th>i<tr><td>1<td>2</table>
<pre>
  keep
    this</pre>
<template><p>no <template>deeper</template> no</p></template><svg><title>no</title><text>no</text></svg>
<!-- no --><!-->yes<!-- <p>no --><?php no ?><![CDATA[no]]>
3 < 4 and a<5; &#65; &unknown; &<p>end"""


def test_a_page_is_told_in_lines():
    title, text = text_of(PAGE)
    assert title == "A & B"
    assert text == (
        "# Hello you\n\nOne\ntwo <tag> éé a [pic] .\n\n- first\n- second\n\nh | i\n1 | 2\n\n  keep\n    this\n\n"
        "yes 3 < 4 and a<5; A &unknown; &\nend"
    )


def test_links_are_told_where_that_is_asked_for():
    page = '<a href="/x?a=1&amp;b=2">one</a> <a>two</a> <a href="javascript:x">three</a> <a href=y> </a>'
    page += "<a href=z>four<p>five"
    joined = text_of(page, join=lambda target: "" if ":" in target else f"http://h{target}")[1]
    assert joined == "[one](http://h/x?a=1&b=2) two three [four](http://hz)\nfive"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a < b > c", "a < b > c"),
        ("<p>a</p", "a"),
        ("a<!-- never closed <p>b", "a"),
        ("a<script>b", "a"),
        ("a<script>b</SCRIPT >c", "ac"),
        ("a<style></script></style>c", "ac"),
        ("a<b", "a"),
        ("a</b>c", "ac"),
        ("a<>c</>d</ e>", "a<>c</>d</ e>"),
        ('<p title="a>b">c', "c"),
        ("<p title='a\">b'>c", "c"),
        ('<p title="a>b', 'b'),
        ("&#x110000;&#0;&#99999999999999999999;&#xfffffffffffff;", "\ufffd\ufffd\ufffd\ufffd"),
        ("<iframe><p>a</p></iframe>b", "b"),
        ("<textarea><p>a</p></textarea>b", "b"),
        ("<TITLE>x</TITLE><P>a</P>", "a"),
        ("<pre><pre>a\n  b</pre>\n c</pre> d  e", "a\n  b\n\n c\n\nd e"),
        ("<plaintext>a<p>b", "a\nb"),
        ("<li>a</li></li></ul></pre></template>b", "- a\n\nb"),
    ],
)  # fmt: skip
def test_broken_pages_are_read_as_far_as_they_go(page, text):
    assert text_of(page)[1] == text


SLOW = {
    "comments that never end": "<!--",
    "declarations": "<!a",
    "instructions": "<?",
    "sections": "<![CDATA[",
    "tags that never end": "<a",
    "tags with quotes that never end": '<a x="',
    "tags with quotes of both kinds": "<a x=\"'>",
    "quotes of both kinds in turn": "<a x=\"><a x='>",
    "signs that begin nothing": "<",
    "ends": "</",
    "references that never end": "&#",
    "ampersands": "&",
    "elements in elements": "<div>",
    "unseen elements in elements": "<svg>",
    "scripts in scripts": "<script>",
    "short scripts": "<script></script>",
    "links": "<a href=x>y",
    "lines": "<pre>\n",
    "blank space": " \t",
    "blank space in a tag": "<p                                                             ",
    "equals in a tag": "<a x==============================",
    "titles": "<title>",
}


@pytest.mark.parametrize("unit", SLOW.values(), ids=SLOW.keys())
def test_reading_takes_time_by_the_length_of_a_page(unit):
    """Ten times as much text may take ten times as long, and not a hundred times; with room for a busy machine."""

    def seconds(length):
        page = "<pre>" * (unit == " \t") + unit * (length // len(unit)) + "x"
        began = time.process_time()
        text_of(page, join=lambda target: target)
        return time.process_time() - began

    assert seconds(300_000) < 40 * max(seconds(30_000), 0.01)


@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                "</",
                "p",
                "a",
                " ",
                "=",
                '"',
                "'",
                "href",
                "<!--",
                "-->",
                "&#",
                "9;",
                "script",
                "pre",
                "\n",
                "é",
                "/",
            ]
        ),
        max_size=30,
    )
)
def test_any_text_is_read(parts):
    page = "".join(parts)
    title, text = text_of(page, join=lambda target: target)
    assert isinstance(title, str)
    assert text == text.strip()
