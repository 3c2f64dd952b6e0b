"""Reading calls in text costs time in proportion to the text, also where the text is made to cost more.

    python tests/benchmarks/notations_linear.py [characters] [name …]

For each text, fed as a whole and in small pieces, it prints the CPU seconds for so many characters (5,000,000 unless
said otherwise) and how many times as many they are as for a tenth of that. The exit status is 1 where one is above 12.
The tenth is the mean of six runs: three before and three after the long one where it is fed as a whole, and one after
each sixth of the long one where it is fed in pieces, so that a busy machine slows both alike; a ratio that is above 12
nevertheless is measured again, twice at most.
"""

from __future__ import annotations

import gc
import itertools
import math
import sys
import time
from collections.abc import Iterator

from agentkit.models.dialects.notations import Reader, write

TOOLS = {"f": {"type": "object", "properties": {"x": {"type": "string"}}}, "search": None}
LIMIT = 12
PIECE = 7
AGAIN = 2
TENTHS = 6

DSML = "<｜DSML｜"
CALL = '{"name": "f", "arguments": {"x": "1"}}'
REPEATED = {
    "prose": "The quick brown fox jumps over the lazy dog, and 敏捷的棕色狐狸跳过了懒狗。\n",
    "one long line": "no end of this line ",
    "calls of our own": write([("f", '{"x": "a < b"}')]) + "\n",
    "calls in one block": f'{DSML}invoke name="f">{DSML}parameter name="x">1</｜DSML｜parameter></｜DSML｜invoke>',
    "objects with calls": CALL + "; ",
    "fences with calls": f"```json\n{CALL}\n```\n",
    "fences with examples": f"```json\n{CALL}\n```\nand so on\n",
    "ReAct": 'Action: f\nAction Input: {"x": "1"}\n',
    "less-than signs": "<",
    "braces": "{",
    "brackets": "[",
    "backticks": "`",
    "backticks apart": "` `` ",
    "open fences": "```json\n{",
    "quotes": '"',
    "backslashes": "\\",
    "bars": "｜|",
    "newlines": "\n",
    "blanks": " ",
    "quoted lines": "> x\n",
    "stars": "**Action",
    "open objects": '{"name": "f", "arguments": {',
    "open objects, no quotes": '{"name": {',
    "objects of other names": '{"name": "g"} ',
    "objects cut in a text": '{"name": "f", "arguments": "',
    "open marks": "<tool_call>",
    "open marks with objects": "<tool_call>{",
    "open marks with texts": '<tool_call>{"',
    "open marks with two quotes": "<tool_call>{\"'",
    "open marks, quotes in turn": "<tool_call>{\"e<tool_call>{'e",
    "open marks with lists": "<tool_call>[[",
    "marks with attributes": '<tool_call name="',
    "marks that repeat": "<tool_call <invoke ",
    "marks without ends": "<tool_call>" + CALL,
    "open elements": "<function=f><parameter=x>",
    "elements that do not end": "<function=f><parameter=x>1</parameter>",
    "ends of parameters": "<function=f><parameter=x>1</parameter> 2",
    "open DSML": f'{DSML}tool_calls>{DSML}invoke name="f">',
    "DSML with broken JSON": f'{DSML}invoke name="f">{{"x": "1}}</｜DSML｜invoke>',
    "DSML parameters": f'{DSML}parameter name="x">',
    "DSML blocks": f"{DSML}tool_calls>",
    "old elements": "<invoke><tool_name>f</tool_name><parameters><x>",
    "open tokens": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{",
    "tokens with texts": '<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"',
    "tokens alone": "<｜tool▁calls▁begin｜>",
    "tokens without names": "<｜tool▁call▁begin｜> and ",
    "Mistral's mark": "[TOOL_CALLS]",
    "Mistral's lists": '[TOOL_CALLS][{"',
    "Gemma's": "<start_function_call>call:f{x:<escape>",
    "GLM's": "<tool_call>f<arg_key>x</arg_key><arg_value>1</arg_value>",
    "GLM's without ends": "<tool_call>f<arg_key>x",
    "Llama's token": "<|python_tag|>f(",
    "Python": "f(x='",
    "lists in Python": "[f(x=[(",
    "code": '```tool_code\nf(x="',
    "open thought": "<think>",
    "thought": f"<think>{CALL}</think>\n",
    "ends of thought": CALL + "</think>",
    "ends of thought in brackets": "[THINK][/THINK]",
    "open ReAct": "Action: f\n",
    "ReAct cut": 'Action: f\nAction Input: {"x": "',
    "answers": "Observation: 1\n",
    "answers to no call": "<tool_response>" + CALL,
    "control tokens": "<|im_start|>assistant\n<|im_end|>",
    "left-over ends": CALL + "</tool_call>",
    "quotations": f'"{CALL}" ',
    "inline code": f"`{CALL}` ",
    "open inline code": f"`{CALL}\n",
}
ONCE = {
    "a call of our own": ('<tool_call>\n{"name": "f", "arguments": {"x": "', "ab\\n", '"}}\n</tool_call>'),
    "a call with escapes": ('<tool_call>\n{"name": "f", "arguments": {"x": "', "\\\\", '"}}\n</tool_call>'),
    "a call with marks": ('<tool_call>\n{"name": "f", "arguments": {"x": "', "</tool_call>", '"}}\n</tool_call>'),
    "a DSML parameter": (f'{DSML}invoke name="f">{DSML}parameter name="x">', "</｜DSML｜parameter> ", ""),
    "many parameters": ("<function=f>", "<parameter=x>1</parameter>\n", "</function>"),
    "a list of calls": ("<tool_call>[", CALL + ", ", CALL + "]</tool_call>"),
    "objects in a mark": ("<tool_call>", CALL + "\n", "</tool_call>"),
    "a deep object": ('<tool_call>{"name": "f", "arguments": ', '{"a":', "1" + "</tool_call>"),
    "a call in Python": ("[f(x='", "it\\'s ", "')]"),
    "calls in Python": ("[", "f(x=1), ", "f(x=2)]"),
    "Gemma's text": ("<start_function_call>call:f{x:<escape>", "< a", "<escape>}<end_function_call>"),
    "a call, then quotations": (CALL, " `a` 'b' ", ""),
    "broken calls, then answers": ('<tool_call>{"x"}</tool_call>' * 1000, "\nObservation: 1", ""),
}


def texts() -> Iterator[tuple[str, str, str, str]]:
    for name, piece in REPEATED.items():
        yield name, "", piece, ""
    for name, (head, piece, tail) in ONCE.items():
        yield name, head, piece, tail


class Timed:
    """A reader of a text, and the CPU seconds that it has had."""

    def __init__(self, text: str, fed: int) -> None:
        self._reader = Reader(TOOLS)
        self._text, self._fed = text, fed or len(text)
        self._at = 0
        self.seconds = 0.0

    def read(self, share: float = 1) -> float:
        """Read a share of the text, and end with the text; all seconds so far."""
        gc.collect()
        stop = min(len(self._text), self._at + math.ceil(len(self._text) * share))
        start = time.process_time()
        while self._at < stop:
            self._reader.feed(self._text[self._at : self._at + self._fed])
            self._at += self._fed
        if stop == len(self._text):
            self._reader.finish()
        self.seconds += time.process_time() - start
        return self.seconds


def ratio(head: str, piece: str, tail: str, length: int, fed: int) -> tuple[float, float]:
    """CPU seconds for the long text, and how many times as much that is as for a tenth of it."""
    short, long = (
        head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail for size in (length // 10, length)
    )
    times: list[tuple[float, float]] = []
    while not times or (times[-1][1] > LIMIT and len(times) <= AGAIN):
        slow, quick = Timed(long, fed), 0.0
        for run in range(TENTHS):
            if fed:
                slow.read(1 / TENTHS)
            elif run == TENTHS // 2:
                slow.read()
            quick += Timed(short, fed).read() / TENTHS
        times.append((slow.seconds, slow.seconds / max(quick, 1e-9)))
    return min(times, key=lambda one: one[1])


def main(arguments: list[str]) -> int:
    length = int(arguments[0]) if arguments else 5_000_000
    wanted = arguments[1:]
    worst = 0.0
    for (name, head, piece, tail), fed in itertools.product(texts(), (0, PIECE)):
        if wanted and name not in wanted:
            continue
        slow, times = ratio(head, piece, tail, length, fed)
        worst = max(worst, times)
        how = f"pieces of {fed}" if fed else "whole"
        print(f"{name:32} {how:12} {slow:8.2f} s {times:6.1f}{'  <--' if times > LIMIT else ''}", flush=True)  # noqa: T201 - a script prints
    print(f"worst ratio {worst:.1f}, allowed {LIMIT}")  # noqa: T201 - a script prints
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
