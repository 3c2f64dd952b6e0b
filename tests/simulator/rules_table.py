"""The rules of the wire that the simulator keeps, which tests hold it to each of them, and the table of both.

A test says with `@rule("3.n")` that it is about that rule. `python tests/simulator/rules_table.py --write` collects
the tests and writes the table into `docs/guides/simulator.md`, between two markers; without `--write` it says whether
the page is up to date. Rules are numbered by the section of the wire notes they stand in (WIRE sections 3 to 9), and
graded as there: `rec` was seen in a recorded reply, `doc` stands in official documents, `src` was read in DeepSeek's
own open source, `rep` was reported by a third party.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guides" / "simulator.md"
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"


class Rule(NamedTuple):
    """A rule: its grade and what it says."""

    grade: str
    says: str


RULES = {
    # Section 3: request fields
    "3.model": Rule("doc", "`model` and `messages` must be there"),
    "3.model.unknown": Rule("rec", "an unknown model is refused with the names that there are"),
    "3.model.not_exist": Rule("rep", "in 2025 the text was `Model Not Exist`"),
    "3.messages.roles": Rule(
        "doc", "roles are system, user, assistant, tool and `latest_reminder`; `developer` is not read"
    ),
    "3.system.content": Rule("doc", "system content is a text or text parts"),
    "3.user.text_parts": Rule("rec", "user content may be text parts"),
    "3.user.parts.v4": Rule("rec", "V4 in August reads no parts but text"),
    "3.user.parts.today": Rule("doc", "V4.1 reads `image_url` and `file` parts"),
    "3.tool.content": Rule("doc", "tool content is a text or text parts, and `tool_call_id` must be there"),
    "3.name": Rule("doc", "`name` on a message is optional and without effect"),
    "3.thinking.toggle": Rule("doc", "`thinking` switches thinking on and off"),
    "3.thinking.default": Rule("doc", "V4 models think by default; the old names fix it"),
    "3.thinking.bool": Rule("rep", "a bare boolean for `thinking` is a 422"),
    "3.effort.values": Rule("doc", "`reasoning_effort` is none, low, high or max; other known words mean one of these"),
    "3.effort.none": Rule("doc", "effort none switches thinking off; an explicit `thinking` wins"),
    "3.effort.invalid": Rule("doc", "an unknown effort is refused with the list"),
    "3.max_tokens.range": Rule("doc", "`max_tokens` is 1 to 393216 (V4)"),
    "3.max_tokens.old": Rule("doc", "`max_tokens` was 1 to 8192 for the chat model of 2025"),
    "3.max_tokens.reasoning": Rule("doc", "reasoning counts against `max_tokens`"),
    "3.max_tokens.r1": Rule("doc", "R1's reasoning had a budget of its own"),
    "3.max_completion_tokens": Rule("rep", "`max_completion_tokens` is an unknown field and ignored"),
    "3.temperature": Rule("doc", "temperature is 0 to 2"),
    "3.temperature.thinking": Rule("doc", "temperature and `top_p` have no effect while thinking, without an error"),
    "3.top_p": Rule("doc", "`top_p` is above 0 and at most 1"),
    "3.penalties": Rule("doc", "penalties are −2 to 2, and have no effect"),
    "3.stop": Rule("doc", "`stop` is a text or up to 16"),
    "3.stop.count": Rule("rep", "17 stop sequences are refused"),
    "3.n": Rule("rep", "only one choice"),
    "3.seed": Rule("src", "seed is 0 to 2^63"),
    "3.unknown_fields": Rule("rep", "unknown fields are ignored"),
    "3.user_id": Rule("doc", "`user_id` is accepted"),
    "3.logprobs.v4": Rule("rec", "V4 gives log probabilities in both modes, of the reasoning too"),
    "3.logprobs.top": Rule("rec", "`top_logprobs` says how many likeliest tokens stand beside each"),
    "3.logprobs.range": Rule("doc", "`top_logprobs` is 0 to 20"),
    "3.logprobs.r1": Rule("doc", "the reasoner of 2025 refuses them"),
    "3.stream_options": Rule("rep", "`stream_options` without `stream` is refused"),
    "3.json.output": Rule("doc", "JSON output gives a JSON object"),
    "3.json.word": Rule("rep", "JSON output needs the word json in the prompt"),
    "3.json.schema": Rule("rep", "`json_schema` is refused"),
    "3.json.empty": Rule("doc", "JSON output may come without content"),
    "3.tools.count": Rule("doc", "at most 128 tools"),
    "3.tools.type": Rule("doc", "only functions"),
    "3.tool.name": Rule("rep", "names are 1 to 128 letters, digits, `_` or `-`"),
    "3.tool.name.old": Rule("doc", "names were 1 to 64 of them in 2025"),
    "3.tool.unique": Rule("rep", "names are unique"),
    "3.tool.parameters": Rule("rep", "parameters are a JSON Schema of an object"),
    "3.tool.no_parameters": Rule("doc", "a tool may have none"),
    "3.tool_choice": Rule("doc", "none, auto, required, or a named tool"),
    "3.tool_choice.default": Rule("doc", "none without tools, auto with them"),
    "3.tool_choice.unknown": Rule("rep", "a named tool must be there"),
    "3.tool_choice.thinking": Rule("rec", "required and named are refused while thinking"),
    "3.tool_choice.plain": Rule("rec", "required and named are fine while not thinking"),
    "3.image_literal": Rule("rep", "the literal `<｜image｜>` is refused"),
    "3.strict.ignored": Rule("rec", "`strict` is ignored off the beta address"),
    "3.strict.all": Rule("doc", "strict: all functions or none"),
    "3.strict.objects": Rule("doc", "strict: objects require all properties and allow no others"),
    "3.strict.supported": Rule("doc", "strict: the supported types and keywords"),
    "3.strict.lengths": Rule("doc", "strict: no lengths of texts and lists"),
    "3.strict.reported": Rule(
        "rep", "strict: no `allOf`, maps, untyped values, empty objects, `$ref` in `anyOf`, mixed type lists"
    ),
    "3.prefix": Rule("doc", "a last message with `prefix` is gone on from"),
    "3.prefix.beta": Rule("rep", "only under the beta address"),
    "3.prefix.reasoning": Rule("doc", "it may carry `reasoning_content`"),
    "3.fim": Rule("doc", "`/beta/completions` fills in between `prompt` and `suffix`"),
    "3.fim.beta": Rule("rep", "only under the beta address"),
    "3.fim.fields": Rule("doc", "`echo`, `max_tokens`, `stop`, `stream`, `logprobs` up to 20"),
    "3.fim.plain": Rule("doc", "without thinking; the reasoner of 2025 has none"),
    # Section 4: whole replies
    "4.keys": Rule("rec", "the keys of a reply and their order"),
    "4.id": Rule("rec", "the id is a UUID"),
    "4.absent": Rule("rec", "keys are absent, not null, where there is no reasoning or call"),
    "4.call_ids": Rule("rec", "`call_NN_` and 24 characters, the last four digits; NN begins at 00 each turn"),
    "4.call_ids.2025": Rule("rec", "in December 2025 without the digits"),
    "4.call_index": Rule("rec", "calls have an index without streaming, too"),
    "4.content": Rule("rec", "the content beside calls is empty or narration"),
    "4.arguments": Rule("rec", "arguments are a JSON text with `: ` and `, `"),
    "4.no_arguments": Rule("rec", "`{}` for a tool without arguments"),
    "4.reasoning": Rule("rec", "thinking adds `reasoning_content` and its tokens to the usage"),
    "4.usage": Rule("rec", "prompt tokens are hits and misses; details tell the hits again"),
    "4.cache.blocks": Rule("rec", "hits are multiples of 128"),
    "4.cache.2025": Rule("rec", "hits were multiples of 64 in December 2025"),
    "4.finish_reason": Rule("rec", "stop, length, tool_calls; others on demand"),
    "4.model": Rule("rec", "the reply names the model that served"),
    "4.fingerprint": Rule("rec", "fingerprints are 32 hexadecimal digits; earlier ones begin with `fp_`"),
    "4.cut.nothing": Rule("rec", "12 tokens: nothing seen"),
    "4.cut.opened": Rule("rec", '16 and 20 tokens: a call with the arguments `""`'),
    "4.cut.arguments": Rule("rec", "24 to 64 tokens: the beginning of the arguments"),
    "4.cut.parallel": Rule("rec", "a first call whole, the second cut"),
    "4.cut.whole": Rule("rec", "96 tokens: complete"),
    "4.cut.thinking": Rule("rec", "thinking on a small budget: no content, reasoning cut"),
    # Section 5: streams
    "5.events": Rule("rec", "`data:` lines, `[DONE]` last"),
    "5.envelope": Rule("rec", "id, time and fingerprint are the same on every chunk; key order"),
    "5.order": Rule("rec", "reasoning, text, calls, finish; never interleaved"),
    "5.thinking": Rule("rec", "thinking deltas carry both texts, one of them null"),
    "5.opener": Rule(
        "rec", "a call opens with index, id, type, name and empty arguments; fragments carry index and arguments only"
    ),
    "5.fragments": Rule("rec", "fragments follow tokens and markup; `{}` is one"),
    "5.parallel": Rule("rec", "parallel calls come one after the other"),
    "5.role": Rule("rec", "the first chunk has the role, and no other"),
    "5.usage": Rule("rec", "usage rides on the finish chunk; earlier ones say null where it was asked for"),
    "5.usage.unasked": Rule("src", "it is there unasked, too"),
    "5.cut": Rule("rec", "a cut stream ends with `length`"),
    "5.keep_alive": Rule("doc", "`: keep-alive` comments while a stream is queued"),
    "5.blank_lines": Rule("doc", "blank lines while a whole reply is queued"),
    "5.usage_apart": Rule("rec", "others send usage on a last chunk without choices"),
    "5.stall": Rule("rep", "a stream may fall silent in its reasoning"),
    "5.no_delta": Rule("rep", "a finish chunk may lack its delta"),
    "5.error": Rule("rep", "an error may come inside a stream"),
    "5.stop": Rule("src", "a stop sequence ends with `stop`"),
    "5.leak": Rule("src", "calls leak as text in the markup of each generation"),
    "5.raw": Rule("src", "values may be copied raw, so arguments may be no JSON"),
    "5.malformed": Rule("rep", "arguments a brace off, with `tool_calls`"),
    # Section 6: reasoning in the history
    "6.refused": Rule("doc", "R1 to V3.2-Exp refuse `reasoning_content` in the input"),
    "6.refused.prefix": Rule("doc", "except on a last message with `prefix`"),
    "6.current_turn": Rule("rep", "V3.2 wants it within the current tool turn, and names the message that lacks it"),
    "6.tool_turns": Rule("doc", "V4 wants it on all assistant turns with calls, across user turns"),
    "6.string": Rule("rep", 'it must be a text: `""` passes, null and a missing key do not'),
    "6.plain_turns": Rule("rec", "turns without calls need none"),
    "6.no_tools": Rule("doc", "V4 without tools ignores it"),
    "6.not_thinking": Rule("rec", "without thinking it is ignored"),
    "6.lkeap": Rule("doc", "LKEAP's R1 does without it"),
    # Section 7: the order of messages
    "7.body": Rule("rec", "the shape of an error"),
    "7.unanswered": Rule("doc", "calls must be answered"),
    "7.unknown_id": Rule("src", "an answer's id must be one of theirs"),
    "7.stray": Rule("doc", "a tool message must follow calls"),
    "7.arguments": Rule("rep", "replayed arguments must be one JSON object"),
    "7.answered_twice": Rule("rep", "no id is answered twice"),
    "7.shared_id": Rule("rep", "no two calls share an id"),
    "7.empty_calls": Rule("rep", "`tool_calls: []` is refused"),
    "7.neither": Rule("rep", "an assistant message has content or calls"),
    "7.empty": Rule("rep", "there must be messages"),
    "7.r1.successive": Rule("rep", "R1: users and assistants take turns"),
    "7.r1.last": Rule("rep", "R1: the last message is the user's, or a prefix"),
    "7.r1.first": Rule("rep", "R1: the first message is the user's"),
    "7.system_between": Rule("rep", "nothing stands between calls and answers"),
    "7.type": Rule("rec", "wrong types, roles and parts are told as serde tells them, with line and column"),
    "7.syntax": Rule("rep", "what is no JSON is told as serde tells it"),
    "7.order": Rule("src", "the order of checks"),
    "7.none": Rule("src", "`tool_choice: none` drops all tools"),
    "7.named": Rule("src", "a named choice keeps that tool alone"),
    "7.any_order": Rule("src", "answers may come in any order"),
    "7.empty_content": Rule("src", "an assistant message with empty content is fine"),
    "7.empty_system": Rule("src", "empty system messages are fine"),
    "7.joined_parts": Rule("src", "text parts are joined with a blank line"),
    "7.fine": Rule("rec", "several users or systems in a row, foreign ids, calls without index are fine"),
    # Section 8: errors
    "8.overflow": Rule("rec", "a prompt longer than the context, with both lengths"),
    "8.moderation": Rule("rep", "`Content Exists Risk`"),
    "8.401": Rule("rec", "a wrong key, told by its end"),
    "8.402": Rule("rep", "an empty account"),
    "8.404": Rule("rep", "a path that is not there"),
    "8.405": Rule("rep", "a method that is not there"),
    "8.422": Rule("rep", "a parameter of the wrong type"),
    "8.429": Rule("rep", "too many requests, without `Retry-After` unless asked for"),
    "8.500": Rule("doc", "a broken server"),
    "8.503": Rule("rep", "a busy server"),
    "8.content_type": Rule("rec", "errors come as `application/octet-stream`, 401 as JSON"),
    "8.empty": Rule("rep", "200 and an empty body after blank lines"),
    "8.zero": Rule("rep", "200 and no token"),
    "8.closing": Rule("doc", "the server closes a request that waits too long"),
    "8.lkeap.20031": Rule("doc", "LKEAP: not enough quota"),
    "8.lkeap.20034": Rule("doc", "LKEAP: concurrency exceeded"),
    "8.lkeap.20059": Rule("doc", "LKEAP: input content too long"),
    "8.llamacpp": Rule("rec", "llama.cpp: integer codes"),
    "8.openrouter": Rule("rep", "OpenRouter: the upstream body in `metadata.raw`"),
    # Sections 1, 2 and 9: addresses, models, other servers
    "1.addresses": Rule("doc", "the paths of DeepSeek, LKEAP and EvoLink"),
    "1.models": Rule("rec", "`GET /models` and `/models/{id}`"),
    "1.balance": Rule("doc", "`GET /user/balance`, amounts as texts"),
    "1.headers": Rule("rec", "the headers of replies"),
    "1.evolink.fallback": Rule("doc", "EvoLink has a second address"),
    "2.exp.rerouted": Rule("doc", "V3.2-Exp: a reasoner with tools is served by the chat model"),
    "2.r1.no_tools": Rule("rep", "R1 refuses tools"),
    "2.r1.no_json": Rule("rep", "R1 refuses JSON output"),
    "2.lkeap.no_tools": Rule("doc", "LKEAP: R1 and V3.1-Terminus have no tools"),
    "2.lkeap.required": Rule("doc", "LKEAP: V3 has no `required`"),
    "2.lkeap.parameters": Rule("doc", "LKEAP: penalties and logprobs are unsupported"),
    "2.lkeap.json": Rule("doc", "LKEAP: V3.1-Terminus alone has JSON output"),
    "2.lkeap.defaults": Rule("doc", "LKEAP: temperature and top_p are 0.6"),
    "2.lkeap.system": Rule("doc", "LKEAP: R1 advises against system prompts, and takes them"),
    "2.evolink.rejects": Rule("doc", "EvoLink: the reasoner refuses five parameters"),
    "2.evolink.choices": Rule("doc", "EvoLink: no named tool"),
    "2.evolink.bounds": Rule("doc", "EvoLink: 16 stop sequences, 128 tools"),
    "9.lkeap": Rule("doc", "LKEAP: key order, ids, narration, compact arguments, note"),
    "9.vllm": Rule("rep", "vLLM: its call ids, no index, usage apart, `reasoning`"),
    "9.sglang": Rule("rep", "SGLang: id, type and name in each fragment, `stop` with calls"),
    "9.llamacpp": Rule("rec", "llama.cpp: timings, arguments in the opener, any model, JSON mode without effect"),
    "9.ollama": Rule("rep", "Ollama `/v1`: a call in one chunk, `reasoning`"),
    "9.openrouter": Rule("rec", "OpenRouter: its own keys, null content, dated models"),
    "9.think_tags": Rule("rec", "reasoning in the text between `<think>` and `</think>`"),
}


def rule(*names: str) -> pytest.MarkDecorator:
    """A mark on a test that holds the simulator to these rules."""
    unknown = [name for name in names if name not in RULES]
    if unknown:
        raise KeyError(f"there is no rule {unknown}")
    return pytest.mark.rule(*names)


def about(name: str, *values: Any) -> Any:
    """The values of one case of a parametrised test that is about a rule."""
    return pytest.param(*values, marks=rule(name), id=name)


class Collector:
    """A plug-in that notes which test is about which rule, and stops before any of them runs."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = {name: set() for name in RULES}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Read the marks of all tests."""
        for item in items:
            for mark in item.iter_markers("rule"):
                for name in mark.args:
                    self.tests[name].add(item.originalname)


def table(tests: dict[str, set[str]]) -> str:
    """The table, as Markdown."""
    lines = ["| rule | says | grade | test |", "| --- | --- | --- | --- |"]
    for name, (grade, says) in RULES.items():
        told = ", ".join(f"`{test}`" for test in sorted(tests[name])) or "**none**"
        lines.append(f"| {name} | {says} | {grade} | {told} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Compare the page with the tests, or write it; 0 if they agree (afterwards)."""
    collector = Collector()
    options = [
        "--collect-only",
        "-qq",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-m",
        "",
        str(ROOT / "tests" / "simulator"),
    ]
    pytest.main(options, plugins=[collector])
    without = [name for name, tests in collector.tests.items() if not tests]
    if without:
        sys.stderr.write(f"rules without a test: {', '.join(without)}\n")
        return 1
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    fresh = f"{head}{BEGIN}\n\n{table(collector.tests)}\n\n{END}{tail}"
    if fresh == page:
        return 0
    if "--write" in arguments:
        PAGE.write_text(fresh, encoding="utf-8")
        return 0
    sys.stderr.write(f"{PAGE} is behind: run `python {Path(__file__).relative_to(ROOT)} --write`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
