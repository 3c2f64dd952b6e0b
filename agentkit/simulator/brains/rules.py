"""The stand-in for a model: rules that read tool schemas and a message, and call what the message speaks of.

This is no language model. It looks for the words of tools' names and descriptions in the last user message, takes
arguments out of it by their types, calls, and repeats what the tools said in plain sentences. It does sums step by
step where tools can, lists files before it reads them, and says so when no tool fits. It knows nothing else, and does
not claim to. What it is good for: running a program that calls tools, offline, with the same outcome each time.

It keeps no memory: each request is answered from what is in it, so it may be asked again at any point of a
conversation. A call that was made in this turn is not made again, so that every loop round it comes to an end, even
under `tool_choice: required`, where a real model would go on calling.

Tools that the prompt tells of in words are called as the prompt says (`in_words`). Where the answer is wanted as data
(`asking`), it is made of the question and of what the tools said (`answers`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentkit.simulator.brains import Turn, arithmetic, tell
from agentkit.simulator.brains.answers import Sources, answered, record
from agentkit.simulator.brains.arithmetic import Calculator, Node, Number, Operation
from agentkit.simulator.brains.asking import FINAL, Asked, asking
from agentkit.simulator.brains.choose import Chooser, is_elliptical, source_for
from agentkit.simulator.brains.continuing import going_on
from agentkit.simulator.brains.files import FileTools, extreme
from agentkit.simulator.brains.fill import Filler, kind_of
from agentkit.simulator.brains.in_words import in_words
from agentkit.simulator.brains.schemas import as_list, as_map, properties, required
from agentkit.simulator.brains.words import meanings, words
from agentkit.simulator.plan import Call, Plan
from agentkit.simulator.request import Message, Tool

_MOST_CALLS = 16
"""How many calls one answer makes at most."""


_MOST_READ = 2_000
"""How many characters of a message are read; of longer ones, the beginning and the end."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of a request, as each rule sees them."""

    chooser: Chooser
    calculator: Calculator
    files: FileTools


@lru_cache(maxsize=64)
def _toolbox(tools: tuple[Tool, ...]) -> Toolbox:
    return Toolbox(Chooser(tools), Calculator(tools), FileTools(tools))


@dataclass(frozen=True, slots=True)
class Done:
    """A call of this turn and what came of it."""

    name: str
    arguments: Mapping[str, Any]
    answer: str

    @property
    def key(self) -> str:
        """The same for the same call."""
        return _key(self.name, self.arguments)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at: the last user message, what was done about it, and what was called before it."""

    turn: Turn
    prompt: str
    done: tuple[Done, ...]
    earlier: tuple[Call, ...]
    """The calls for earlier messages, the last first."""
    said: str
    """The answer before the last user message."""

    @property
    def tools(self) -> Toolbox:
        """The tools that may be called, as the rules see them."""
        return _toolbox(self.turn.tools)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next: calls to make, or, if there are none, what to say; and why, for the reasoning."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    content: str = ""
    because: str = ""


def answer(turn: Turn) -> Plan:
    """Answer a turn: the brain of a `Simulator` unless it is given another."""
    rest = going_on(turn)
    if rest is not None:
        return rest
    told, turn = in_words(turn)
    plan = _answer(*asking(turn))
    return plan if told is None else told.written(plan)


def _answer(asked: Asked | None, turn: Turn) -> Plan:
    """Answer a turn whose tools are given, in the form that is asked for."""
    situation = _situation(turn)
    seen = {done.key for done in situation.done}
    decision = _decide(situation)
    fresh = [call for call in decision.calls if _key(*call) not in seen]
    if not fresh and turn.must_call:
        fresh = _forced(situation)
    content = decision.content or _told(situation) or _helpless(situation)
    if asked is not None and not fresh and all(done.name != asked.tool.name for done in situation.done):
        fields = answered(asked.tool.parameters, _sources(situation, content))
        if not asked.by_call:
            return Plan(content=json.dumps(fields, ensure_ascii=False), reasoning=_reasoning(situation, decision, ()))
        fresh = [(asked.tool.name, fields)]
    if fresh:
        calls = tuple(Call(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in fresh[:_MOST_CALLS])
        return Plan(calls=calls, reasoning=_reasoning(situation, decision, calls))
    return Plan(
        content=_as_json(content, turn) if turn.json else content, reasoning=_reasoning(situation, decision, ())
    )


def _sources(situation: Situation, content: str) -> Sources:
    """What an answer in a form is made of."""
    records = [record(done.arguments, done.answer) for done in situation.done if not tell.failed(done.answer)]
    return Sources(situation.prompt, situation.prompt, situation.turn.now, content, tuple(records))


def _situation(turn: Turn) -> Situation:
    last = max((place for place, message in enumerate(turn.messages) if message.role == "user"), default=-1)
    prompt = _readable(turn.messages[last].text or "") if last >= 0 else ""
    before = turn.messages[: max(last, 0)]
    earlier = [call for message in before for call in message.calls or ()]
    said = next((message.text or "" for message in reversed(before) if message.role == "assistant"), "")
    return Situation(
        turn, prompt.strip(), _done(turn.messages[last + 1 :]), tuple(reversed(earlier)), said[-_MOST_READ:]
    )


def _readable(text: str) -> str:
    if len(text) <= _MOST_READ:
        return text
    return f"{text[: _MOST_READ // 2]}\n{text[-_MOST_READ // 2 :]}"


def _done(messages: Sequence[Message]) -> tuple[Done, ...]:
    answers = {message.call_id: message.text or "" for message in messages if message.role == "tool"}
    return tuple(
        Done(call.name, _arguments(call), answers.get(call.id, ""))
        for message in messages
        for call in message.calls or ()
    )


def _arguments(call: Call) -> dict[str, Any]:
    try:
        return as_map(json.loads(call.arguments))
    except (ValueError, RecursionError):
        return {}


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(arguments, sort_keys=True, default=str)}"


def _decide(situation: Situation) -> Decision:
    for rule in (_sums, _files, _speaks_of, _follow_up, _lone_tool):
        decision = rule(situation)
        if decision is not None:
            return decision
    return Decision()


def _goes_on(situation: Situation) -> bool:
    """Whether a message takes up what was said before, by its first word or by being nothing but names."""
    start = r"(?i)\s*(?:and|what about|how about|also|then|now)\b"
    return bool(re.match(start, situation.prompt)) or is_elliptical(situation.prompt)


# ── Sums ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sums(situation: Situation) -> Decision | None:
    """Sums are done with the tools that can, from the inside out, what does not depend on each other at once."""
    calculator = situation.tools.calculator
    if formula := arithmetic.formula(situation.prompt):
        return _formula(formula, situation)
    nodes = arithmetic.sums(situation.prompt) or arithmetic.sums(_with_the_last_result(situation))
    if not nodes:
        return None
    able = [node for node in nodes if calculator.can(node)] if calculator else []
    if not able:
        return None if situation.tools.chooser.best(situation.prompt) else _in_the_head(nodes)
    calls: list[tuple[str, Mapping[str, Any]]] = []
    steps: list[str] = []
    values: list[tuple[Node, float]] = []
    for node in able:
        value = _advance(node, calculator, situation, calls, steps)
        if value is not None:
            values.append((node, value))
    if calls:
        return Decision(tuple(calls), because="I do the sum with the tools, one step after the other.")
    if len(values) < len(able):  # a tool did not give a number
        return Decision(content=_told(situation))
    return Decision(content=_worked_out(values, steps), because="All steps are done.")


def _formula(formula: str, situation: Situation) -> Decision | None:
    """An expression with functions in it is handed on as it stands, where a tool takes expressions."""
    call = situation.tools.calculator.formula(formula)
    if call is None:
        return None
    for done in situation.done:
        if done.key == _key(*call) and not tell.failed(done.answer):
            value = arithmetic.value_in(done.answer)
            return Decision(
                content=f"{formula} = {arithmetic.number(value)}." if value is not None else _told(situation)
            )
    return Decision((call,), because="The tool takes the expression as it stands.")


_POINTER = re.compile(r"\b(?:that|it|this|the\s+(?:result|sum|product|answer|total))\b", re.IGNORECASE)


def _with_the_last_result(situation: Situation) -> str:
    """The prompt with the number of the answer before it in the place of `that`; nothing where there is none."""
    value = arithmetic.value_in(situation.said) if situation.said else None
    if value is None or not re.search(r"\d", situation.prompt) or not _POINTER.search(situation.prompt):
        return ""
    return _POINTER.sub(arithmetic.number(value), situation.prompt, count=1)


def _advance(
    node: Node,
    calculator: Calculator,
    situation: Situation,
    calls: list[tuple[str, Mapping[str, Any]]],
    steps: list[str],
) -> float | None:
    """The value of a tree as far as calls have been answered; the next calls are added to `calls`."""
    if isinstance(node, Number):
        return node.value
    ready = node
    if not calculator.whole(node):
        left = _advance(node.left, calculator, situation, calls, steps)
        right = _advance(node.right, calculator, situation, calls, steps)
        if left is None or right is None:
            return None
        ready = Operation(node.sign, Number(left), Number(right))
    call = calculator.call(ready)
    if call is None:
        return None
    for done in situation.done:
        if done.key == _key(*call):
            value = None if tell.failed(done.answer) else arithmetic.value_in(done.answer)
            if value is not None:
                steps.append(f"{arithmetic.written(ready)} = {arithmetic.number(value)}")
            return value
    if call not in calls:
        calls.append(call)
    return None


def _worked_out(values: Sequence[tuple[Node, float]], steps: Sequence[str]) -> str:
    results = [f"{arithmetic.written(node)} = {arithmetic.number(value)}" for node, value in values]
    between = [step for step in dict.fromkeys(steps) if step not in results]
    if not between or len(values) > 1:
        return f"{', and '.join(results)}."
    return f"{', '.join(between)}, so {results[0]}."


def _in_the_head(nodes: Sequence[Operation]) -> Decision | None:
    values = [(node, value) for node in nodes if (value := arithmetic.compute(node)) is not None]
    if not values:
        return None
    return Decision(content=_worked_out(values, ()), because="This is a sum, and I can do it without a tool.")


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _files(situation: Situation) -> Decision | None:
    """Reading what a listing shows takes two rounds: list, then read."""
    tools = situation.tools.files
    which = tools.which(situation.prompt)
    if tools.lister is None or not which:
        return None
    better = situation.tools.chooser.best(situation.prompt)[:1]
    if which == "none" and better and better[0] not in (tools.lister, tools.reader):
        return None
    lister, reader = tools.lister.name, tools.reader.name if tools.reader else ""
    listings = [(done.arguments, done.answer) for done in situation.done if done.name == lister]
    if not listings:
        calls = tools.first(situation.prompt, situation.turn.now)
        return Decision(tuple((lister, call) for call in calls), because="First I look which files there are.")
    if any(tell.failed(text) for _, text in listings):
        return Decision(content=_told(situation))
    if which == "none":
        return Decision(content=_told(situation))
    calls = tools.next(which, listings)
    read = [done for done in situation.done if done.name == reader]
    if calls and not read:
        return Decision(tuple((reader, call) for call in calls), because=f"Now I read {which} of them.")
    readings = [
        (str(next(iter(done.arguments.values()), "")), done.answer) for done in read if not tell.failed(done.answer)
    ]
    return Decision(content=extreme(which, readings) or _told(situation))


# ── Any other tool ───────────────────────────────────────────────────────────────────────────────────────────────────


def _speaks_of(situation: Situation) -> Decision | None:
    """The tools that the message speaks of, each with the part of the message that concerns it."""
    decision = _call_all(situation, situation.tools.chooser.by_clause(situation.prompt))
    if decision and not decision.calls and not situation.done and _goes_on(situation):
        return _follow_up(situation) or decision
    return decision


def _follow_up(situation: Situation) -> Decision | None:
    """`And in Berlin?` means the tool that was called before."""
    if not _goes_on(situation):
        return None
    by_name = {tool.name: tool for tool in situation.turn.tools}
    for call in situation.earlier:
        if call.name in by_name:
            return _again(situation, by_name[call.name], call) or _call_all(
                situation, [(by_name[call.name], situation.prompt)]
            )
    return None


def _again(situation: Situation, tool: Tool, before: Call) -> Decision | None:
    """`And for 3 days?` after `weather(city="Paris")`: what the message does not say stays as it was."""
    filler = Filler(tool, situation.prompt, situation.turn.now, {})
    missing = filler.missing()
    earlier = _arguments(before)
    if not missing or not all(name in earlier for name in missing):
        return None
    known = {name: earlier[name] for name in missing}
    calls = Filler(tool, situation.prompt, situation.turn.now, known).calls()
    if not calls or all(arguments == known for arguments in calls):
        return None
    return Decision(tuple((tool.name, arguments) for arguments in calls), because=f"This goes on from `{tool.name}`.")


def _lone_tool(situation: Situation) -> Decision | None:
    """`Paris and Tokyo?` means the only tool there is, if it can take that."""
    tools = situation.turn.tools
    if len(tools) != 1 or not is_elliptical(situation.prompt) or not required(tools[0].parameters):
        return None
    decision = _call_all(situation, [(tools[0], situation.prompt)])
    return decision if decision and decision.calls else None


def _call_all(situation: Situation, chosen: Sequence[tuple[Tool, str]]) -> Decision | None:
    calls: list[tuple[str, Mapping[str, Any]]] = []
    lacking: list[str] = []
    known = _known(situation.done)
    for tool, text in chosen:
        found = _calls_of(tool, text, situation, known)
        calls += [(name, arguments) for name, arguments in found if (name, arguments) not in calls]
        if not found:
            missing = Filler(tool, text, situation.turn.now, known.get(tool.name, {})).missing()
            needs = f"{_listed(missing)}, and your message does not say" if missing else "more than your message says"
            lacking.append(f"To use `{tool.name}` I need {needs}.")
    if not chosen:
        return None
    told = _told(situation)
    return Decision(
        tuple(calls),
        content=" ".join(filter(None, (told, *lacking))),
        because=f"The message speaks of {_listed([tool.name for tool, _ in chosen])}.",
    )


def _calls_of(
    tool: Tool, text: str, situation: Situation, known: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Mapping[str, Any]]]:
    now = situation.turn.now
    pointing = _points_back(text)
    whole = text if pointing else situation.prompt  # what is said of others is not meant for `it`
    for part in (text, whole):
        calls = Filler(tool, part, now, {}).calls()
        if calls:
            return [(tool.name, arguments) for arguments in calls]
    given = {**known.get("", {}), **known.get(tool.name, {})}
    filler = Filler(tool, whole, now, given)
    if calls := filler.calls():
        return [(tool.name, arguments) for arguments in calls]
    missing = filler.missing()
    if pointing and (meant := _meant(missing, tool, situation)):
        return [(tool.name, arguments) for arguments in Filler(tool, whole, now, {**given, **meant}).calls()]
    for parameter in missing:
        source = source_for(parameter, situation.turn.tools, tool)
        if source is None:
            continue
        for done in situation.done:
            if done.name == source.name and not tell.failed(done.answer):
                value = Filler(tool, situation.prompt, now, {**given, parameter: tell.phrase(done.answer)}).calls()
                return [(tool.name, arguments) for arguments in value]
        return [(source.name, arguments) for arguments in Filler(source, situation.prompt, now, {}).calls()]
    return []


def _meant(missing: Sequence[str], tool: Tool, situation: Situation) -> dict[str, Any]:
    """What `it` stands for: what other calls have under the same name, or what the one before has just said."""
    done = [one for one in situation.done if one.name != tool.name and not tell.failed(one.answer)]
    earlier = [*(one.arguments for one in done), *(_arguments(call) for call in situation.earlier)]
    found = {name: next((one[name] for one in earlier if name in one), None) for name in missing}
    if missing and all(value is not None for value in found.values()):
        return found
    schemas = properties(tool.parameters)
    takes_text = len(missing) == 1 and kind_of(missing[0], schemas[missing[0]]) in ("query", "message", "task")
    return {missing[0]: tell.phrase(done[-1].answer)} if takes_text and done else {}


def _points_back(text: str) -> bool:
    """Whether a part of a message speaks of what came of the part before it."""
    return bool(re.search(r"\b(?:it|that|this|them|the\s+(?:result|results|answer|forecast))\b", text, re.IGNORECASE))


def _known(done: Sequence[Done]) -> dict[str, dict[str, Any]]:
    """What the answers so far give by name: their keys; `id` of a `find_user` is also a `user_id`."""
    known: dict[str, Any] = {}
    for item in done:
        try:
            value: Any = json.loads(item.answer)
        except ValueError:
            continue
        record = as_map(as_list(value)[0]) if as_list(value) else as_map(value)
        for key, value in record.items():
            if isinstance(value, (str, int, float)):
                known.setdefault(key, value)
                for word in words(item.name):
                    known.setdefault(f"{word}_{key}", value)
    return {"": known}


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def _forced(situation: Situation) -> list[tuple[str, Mapping[str, Any]]]:
    """A call that must be made although the message asks for none: the nearest tool, arguments made up if need be.

    Once something was called, only a tool that takes the final answer is, as frameworks define them.
    """
    tools = situation.turn.tools
    called = {done.name for done in situation.done}
    places = [
        place
        for place, tool in enumerate(tools)
        if not called or (tool.name not in called and meanings(tool.name) & FINAL)
    ]
    if not places:
        return []
    tool = tools[max(places, key=lambda place: (situation.tools.chooser.score(place, situation.prompt), -place))]
    filler = Filler(tool, situation.prompt, situation.turn.now, _known(situation.done)[""])
    return [(tool.name, (filler.calls() or [filler.invented()])[0])]


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(situation: Situation) -> str:
    done = situation.done
    told = [tell.sentence(item.name, item.arguments, item.answer, alone=len(done) == 1) for item in done]
    labels = [
        (" ".join(str(value) for value in item.arguments.values())[:60] or item.name, item.answer) for item in done
    ]
    return " ".join(filter(None, (*dict.fromkeys(told), tell.comparison(situation.prompt, labels))))


def _helpless(situation: Situation) -> str:
    """An honest answer where there is nothing to call and nothing to tell."""
    tools = situation.turn.tools
    low = situation.prompt.lower()
    if not situation.prompt:
        return "There is no message to answer."
    offer = f"I can use {_listed([tool.name for tool in tools])}." if tools else "I have no tools here."
    if re.match(r"(?:hello|hi|hey|good (?:morning|evening|afternoon))\b", low):
        return f"Hello! I am a simulated model. {offer}"
    if re.match(r"(?:thanks|thank you|thx|great|perfect)\b", low):
        return "You are welcome."
    if re.search(r"\bwhat can you do\b|\bwho are you\b|\bwhich tools\b|\bwhat tools\b", low):
        return f"I am a simulated model that follows rules. {offer}"
    if not tools:
        return (
            "I am a simulated model that follows rules, without knowledge of my own, so I cannot answer this: "
            f"“{_shortened(situation.prompt)}”"
        )
    return f"None of my tools fits this, and as a simulated model I know nothing else. {offer}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:120].rstrip()} …"


def _reasoning(situation: Situation, decision: Decision, calls: Sequence[Call]) -> str:
    if not situation.turn.thinking:
        return ""
    parts = [f"The user says: “{_shortened(situation.prompt)}”."]
    if situation.done:
        parts.append(f"So far I have {len(situation.done)} answer(s) from tools.")
    if situation.turn.effort != "low" and decision.because:
        parts.append(decision.because)
    if calls:
        spoken = [_spoken(call) for call in calls]
        parts.append(f"I call {spoken[0]}." if len(calls) == 1 else f"I call these at once: {'; '.join(spoken)}.")
    else:
        parts.append("I can answer from what I have." if situation.done else "There is nothing to call.")
    return " ".join(parts)


def _spoken(call: Call) -> str:
    values = ", ".join(str(value) for value in as_map(json.loads(call.arguments)).values())
    return f"{call.name} for {values}" if values else call.name


def _as_json(content: str, turn: Turn) -> str:
    """The answer as a JSON object, under the first key that the prompt names in backticks or quotes, else `answer`."""
    text = " ".join(message.text or "" for message in turn.messages if message.role in ("system", "user"))
    match = re.search(r"\b(?:key|field|property)\s+(?:called\s+|named\s+)?[`\"']([\w-]+)[`\"']", text)
    match = match or re.search(r"[`\"']([A-Za-z_][\w-]*)[`\"']\s*:", text)
    value: Any = content
    if numbers := re.fullmatch(r".*= (-?\d+(?:\.\d+)?)\.", content):
        value = json.loads(numbers[1])
    return json.dumps({match[1] if match else "answer": value}, ensure_ascii=False)
