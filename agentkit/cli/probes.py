"""What an endpoint can do, found out by about a dozen small requests: `agentkit doctor URL MODEL`.

A probe sends what a client of the chat format may send (WIRE section 3) and looks at what comes back; nothing is taken
from names or documents. A refusal is an answer, too. Nothing here waits: `Ask` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agentkit.frozen import frozen

Json = dict[str, Any]

BUDGET = 2_048
"""The `max_tokens` of a probe: room for some reasoning before the answer."""

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Today's weather in one city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city's name."}},
            "required": ["city"],
        },
    },
}


@frozen
class Reply:
    """What came back.

    Attributes:
        status: The HTTP status; 0 where nothing came.
        body: The bytes as text; where nothing came, why.
        kind: The content type.
    """

    status: int
    body: str
    kind: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request was taken."""
        return self.status == 200

    @property
    def data(self) -> Json:
        """The body as a JSON object; empty where it is none."""
        return _object(self.body)

    @property
    def chunks(self) -> list[Json]:
        """The events of a streamed body."""
        lines = (line.removeprefix("data:").strip() for line in self.body.splitlines() if line.startswith("data:"))
        return [_object(line) for line in lines if line != "[DONE]"]

    @property
    def message(self) -> Json:
        """The message of a whole body; empty where there is none."""
        choices = _objects(self.data.get("choices"))
        message: Any = choices[0].get("message") if choices else None
        return cast("Json", message) if isinstance(message, dict) else {}

    @property
    def text(self) -> str:
        """The words of the message."""
        return str(self.message.get("content") or "")

    @property
    def calls(self) -> list[str]:
        """The names of the tools that are called."""
        calls = _objects(self.message.get("tool_calls"))
        return [str(cast("Json", call.get("function") or {}).get("name")) for call in calls]

    @property
    def why(self) -> str:
        """What a refusal says, or that the reply was cut; `""` where there is nothing to say."""
        if self.ok:
            cut = any(one.get("finish_reason") == "length" for one in _objects(self.data.get("choices")))
            return f"the reply was cut at {BUDGET:,} tokens, so this may be wrong" if cut else ""
        error: Any = self.data.get("error", self.data)
        told: Any = cast("Json", error).get("message") if isinstance(error, dict) else error
        return f"{self.status or 'no answer'}: {told or self.body[:200]}"


Ask = Callable[[str, Json | None], Reply]
"""Sends a body to a path behind the address, `None` for a GET; never raises for what the endpoint says."""


@dataclass(slots=True)
class Found:
    """What was found out.

    Attributes:
        results: Each probe with what it found: yes, no, or in a word.
        notes: For each probe more words, such as a refusal.
        row: What is known now, under the keys of a catalog's row.
    """

    results: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    row: Json = field(default_factory=dict[str, Any])

    def note(self, probe: str, result: bool | str, more: str = "") -> None:
        """Write down what a probe found."""
        self.results[probe] = result if isinstance(result, str) else "yes" if result else "no"
        if more:
            self.notes[probe] = more


class Probes:
    """All probes of one model.

    Args:
        model: Its name, as it is sent.
        ask: Sends to the address.
        beta: Sends to the address with `/beta` in place of its `/v1`.
    """

    def __init__(self, model: str, ask: Ask, beta: Ask) -> None:
        self.found = Found(row={"name": model})
        self._model = model
        self._ask = ask
        self._beta = beta
        self._first = Reply(0, "")
        self._thinks = False
        self._quiet: Json = {}

    def run(self) -> Iterator[str]:
        """Make the probes, and give the name of each before it is made; they end early where the first chat fails."""
        yield "models"
        self._models()
        yield "chat"
        self._chat()
        if not self._first.ok:
            return
        for name, probe in (
            ("thinking", self._thinking),
            ("stream", self._stream),
            ("tools", self._tools),
            ("choice", self._choices),
            ("json", self._json),
            ("reasoning", self._reasoning),
            ("prefix", self._prefix),
            ("stop", self._stop),
        ):
            yield name
            probe()

    def _send(self, said: str | Sequence[Json], *, ask: Ask | None = None, **more: Any) -> Reply:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
        body = {"model": self._model, "messages": messages, "max_tokens": BUDGET, **more}
        return (ask or self._ask)("/chat/completions", body)

    def _models(self) -> None:
        reply = self._ask("/models", None)
        listed = _objects(reply.data.get("data"))
        named = [one for one in listed if one.get("id") == self._model]
        entry = named[0] if named else Json()
        more = reply.why if not reply.ok else "" if entry else f"`{self._model}` is not among the {len(listed)}"
        self.found.note("models", reply.ok and bool(listed), more)
        context: Any = entry.get("context_window") or entry.get("context_length") or entry.get("max_model_len")
        if isinstance(context, int):
            self.found.row["context"] = context

    def _chat(self) -> None:
        self._first = reply = self._send("Say in one short sentence that you are ready to work.")
        self.found.note("chat", reply.ok, reply.why)
        if reply.ok:
            self.found.note("usage", isinstance(reply.data.get("usage"), dict))

    def _thinking(self) -> None:
        """Whether it thinks unasked, and whether the one or the other can be asked for."""
        key, tagged = reasoning_of(self._first.message)
        self._thinks = bool(key)
        asked: Json = {"thinking": {"type": "disabled" if self._thinks else "enabled"}}
        reply = self._send("What is 17 + 4? Say the number.", **asked)
        obeyed = reply.ok and bool(reasoning_of(reply.message)[0]) != self._thinks
        thinking = ("on" if obeyed else "always") if self._thinks else ("off" if obeyed else "never")
        if not key and obeyed:
            key, tagged = reasoning_of(reply.message)
        if self._thinks and obeyed:
            self._quiet = asked
        self.found.row["thinking"] = thinking
        if tagged:
            self.found.row["tags"] = True
        self.found.note("thinking", thinking, f"reasoning comes as {key}" if key else reply.why)

    def _stream(self) -> None:
        reply = self._send("Say hello.", stream=True, stream_options={"include_usage": True})
        chunks = reply.chunks
        self.found.note("stream", reply.ok and len(chunks) > 1, reply.why)
        self.found.note("usage in stream", any(isinstance(chunk.get("usage"), dict) for chunk in chunks))

    def _tools(self) -> None:
        """Whether it takes tools; a model that takes them and calls none may still be told of them."""
        reply = self._send("What is the weather in Paris?", tools=[WEATHER])
        called = "weather" in reply.calls
        more = reply.why or ("" if called else "the request was taken, but no call was made")
        self.found.note("tools", called, more)
        self.found.row["tools"] = called
        if not called:
            self.found.note("parallel", False)
            return
        reply = self._send("What is the weather in Paris and in Tokyo? Look both up at once.", tools=[WEATHER])
        self.found.note("parallel", len(reply.calls) > 1, reply.why)

    def _choices(self) -> None:
        """Which values of `tool_choice` are taken and heeded; while thinking, too."""
        if not self.found.row["tools"]:
            self.found.note("choice", False, "there are no tools")
            return
        taken, notes = ["auto", "none"], list[str]()
        forms: Mapping[str, Any] = {
            "required": "required",
            "named": {"type": "function", "function": {"name": "weather"}},
        }
        for name, choice in forms.items():
            said = "I am in Paris, and I wonder about the weather."
            reply = self._send(said, tools=[WEATHER], tool_choice=choice, **self._quiet)
            if reply.calls:
                taken.append(name)
            elif not reply.ok:
                notes.append(f"{name}: {reply.why}")
        self.found.row["choices"] = taken
        if self._thinks and len(taken) > 2:
            reply = self._send("Weather in Paris?", tools=[WEATHER], tool_choice=forms[taken[2]])
            self.found.row["forced_thinking"] = bool(reply.calls)
            if not reply.calls:
                notes.append(f"while thinking: {reply.why or 'not heeded'}")
        self.found.note("choice", ", ".join(taken), "; ".join(notes))

    def _json(self) -> None:
        """Which forms of an answer it keeps to; a form that is taken and not kept to is none."""
        formats, notes = list[str](), list[str]()
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        for form, more in (
            ("json_object", {}),
            ("json_schema", {"json_schema": {"name": "answer", "schema": {**schema, "additionalProperties": False}}}),
        ):
            said = 'Give the number of legs of a cat as json, like {"n": 1}.'
            reply = self._send(said, response_format={"type": form, **more}, **self._quiet)
            if reply.ok and _object(without_thoughts(reply.text)):
                formats.append(form)
            elif not reply.ok:
                notes.append(f"{form}: {reply.why}")
        self.found.row["formats"] = formats
        self.found.note("json", ", ".join(formats) or "no", "; ".join(notes))

    def _reasoning(self) -> None:
        """What it wants of reasoning that it gave: back, not back, or it does not look."""
        if not self._thinks or not self.found.row["tools"]:
            self.found.note("reasoning back", "not looked at", "it does not think with tools" if self._thinks else "")
            return
        function = {"name": "weather", "arguments": '{"city": "Paris"}'}
        call: Json = {"id": "call_00_probe", "type": "function", "function": function}
        without: Json = {"role": "assistant", "content": "", "tool_calls": [call]}
        user = {"role": "user", "content": "What is the weather in Paris?"}
        tool = {"role": "tool", "tool_call_id": "call_00_probe", "content": "18 degrees"}
        bare = self._send([user, without, tool], tools=[WEATHER])
        given = self._send([user, {**without, "reasoning_content": "I look it up."}, tool], tools=[WEATHER])
        if not bare.ok and given.ok:
            self.found.row["reasoning"] = "always"
            self.found.note("reasoning back", "wanted", bare.why)
        elif bare.ok and not given.ok:
            self.found.row["reasoning"] = "strip"
            self.found.note("reasoning back", "refused", given.why)
        else:
            self.found.note("reasoning back", "not looked at", bare.why)

    def _prefix(self) -> None:
        """Whether it goes on with an answer that was begun, in the midst of a number."""
        begun = [
            {"role": "user", "content": "What is 17 + 4?"},
            {"role": "assistant", "content": "17 + 4 = 2", "prefix": True},
        ]
        reply = self._send(begun, ask=self._beta, **self._quiet)
        beta = reply.ok
        if not beta:
            reply = self._send(begun, **self._quiet)
        goes_on = reply.ok and re.match(r"1(?!\d)", without_thoughts(reply.text)) is not None
        self.found.row["prefix"] = goes_on
        self.found.note("prefix", goes_on and ("yes, at /beta" if beta else "yes"), reply.why)

    def _stop(self) -> None:
        """Whether a stop sequence is heeded: a word of the first answer must not come again."""
        words = without_thoughts(self._first.text).split()
        word = max(words[1:] or words or ["ready"], key=len)
        reply = self._send("Say in one short sentence that you are ready to work.", stop=[word])
        heeded = reply.ok and word not in without_thoughts(reply.text)
        self.found.note("stop", heeded, reply.why)
        if not reply.ok:
            self.found.row["drops"] = ["stop"]


def reasoning_of(message: Json) -> tuple[str, bool]:
    """Where a message has reasoning, in a word for people, and whether that is in its text; `""` for nowhere."""
    for key in ("reasoning_content", "reasoning"):
        if message.get(key):
            return f"`{key}`", False
    return ("`</think>` in the text", True) if "</think>" in str(message.get("content") or "") else ("", False)


def without_thoughts(text: str) -> str:
    """A text behind the reasoning that may stand before it."""
    return text.rpartition("</think>")[2].strip() if "</think>" in text else text


def _objects(value: Any) -> list[Json]:
    """The objects in a JSON array; none where it is none."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("Json", one) for one in items if isinstance(one, dict)]


def _object(text: str) -> Json:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}
