"""Requests that the simulator's tests share, and what to do with the replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentkit.simulator import Reply, Simulator

RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "wire" / "recorded"
HEADERS = {"authorization": "Bearer sk-some-key", "content-type": "application/json"}
PLAIN = {"type": "disabled"}


def tool(
    name: str, description: str = "", required: Sequence[str] | None = None, /, **properties: Any
) -> dict[str, Any]:
    """A tool definition; a property is a schema, or a text: a string with that description."""
    schemas = {
        key: {"type": "string", "description": value} if isinstance(value, str) else value
        for key, value in properties.items()
    }
    parameters = {
        "type": "object",
        "properties": schemas,
        "required": list(schemas) if required is None else list(required),
        "additionalProperties": False,
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


NUMBER = {"type": "number"}
WEATHER = tool(
    "weather",
    "Forecast for a city.",
    ["city"],
    city="City name, e.g. Paris.",
    days={"type": "integer", "description": "How many days, 1 to 7.", "default": 1},
)
CALCULATOR = [
    tool("add", "Add two numbers.", a=NUMBER, b=NUMBER),
    tool("subtract", "Subtract b from a.", a=NUMBER, b=NUMBER),
    tool("multiply", "Multiply two numbers.", a=NUMBER, b=NUMBER),
    tool("divide", "Divide a by b.", a=NUMBER, b=NUMBER),
]
EXPRESSION = [tool("calculate", "Evaluate an arithmetic expression.", expression="Such as 2 * (3 + 4).")]
FOLDER = {"type": "string", "description": "Folder to look in.", "default": "."}
FILES = [
    tool("list_files", "List the files of a folder.", [], folder=FOLDER),
    tool("read_file", "Read a text file.", path="Path of the file."),
    tool(
        "search_files", "Search the files of a folder for a text.", ["query"], query="What to look for.", folder=FOLDER
    ),
]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def chat(*messages: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A request that does not think, unless its fields say so."""
    return {"model": "deepseek-flash", "messages": list(messages), "thinking": PLAIN, **fields}


def post(
    body: Any, simulator: Simulator | None = None, path: str = "/chat/completions", headers: Mapping[str, str] = HEADERS
) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return (simulator or Simulator()).handle("POST", path, headers, data)


def asked(body: Any, simulator: Simulator | None = None) -> dict[str, Any]:
    """The JSON of a reply that must be a success."""
    reply = post(body, simulator)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def refused(body: Any, simulator: Simulator | None = None) -> tuple[int, str]:
    """The status and the text of a reply that must be an error."""
    reply = post(body, simulator)
    assert reply.status >= 400, reply.body
    return reply.status, json.loads(reply.body)["error"]["message"]


def chunks(body: Any, simulator: Simulator | None = None) -> list[dict[str, Any]]:
    """The chunks of a streamed reply; its last event must be `[DONE]`."""
    reply = post({**body, "stream": True}, simulator)
    assert reply.status == 200, reply.body
    steps = list(reply.steps)
    assert all(isinstance(step, bytes) and step.startswith(b"data: ") and step.endswith(b"\n\n") for step in steps)
    assert steps[-1] == b"data: [DONE]\n\n"
    return [json.loads(step[6:]) for step in steps[:-1] if isinstance(step, bytes)]


def gathered(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that the deltas of a stream add up to, as it would come unstreamed."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    for event in events:
        delta = event["choices"][0]["delta"]
        for key in ("role", "content", "reasoning_content"):
            if delta.get(key) is not None:
                message[key] = message.get(key, "") + delta[key]
        for part in delta.get("tool_calls", ()):
            call = calls.setdefault(part["index"], {**part, "function": {**part["function"], "arguments": ""}})
            call["function"]["arguments"] += part["function"]["arguments"]
    message.setdefault("content", "")
    return {**message, "tool_calls": list(calls.values())} if calls else message


Answer = Callable[[str, dict[str, Any]], str]


def played(
    tools: Sequence[Mapping[str, Any]], prompt: str, answer: Answer, *, rounds: int = 8, **fields: Any
) -> tuple[list[list[tuple[str, dict[str, Any]]]], str]:
    """Run a tool loop: the calls of each round, and the final text."""
    simulator = Simulator(clock=lambda: 1_795_262_400.0)  # Saturday, 21 November 2026, noon UTC
    messages: list[Mapping[str, Any]] = [*fields.pop("history", ()), user(prompt)]
    calls: list[list[tuple[str, dict[str, Any]]]] = []
    for _ in range(rounds):
        message = asked(chat(*messages, tools=list(tools), **fields), simulator)["choices"][0]["message"]
        messages.append(message)
        if "tool_calls" not in message:
            return calls, message["content"]
        step: list[tuple[str, dict[str, Any]]] = []
        for call in message["tool_calls"]:
            name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
            step.append((name, arguments))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": answer(name, arguments)})
        calls.append(step)
    raise AssertionError(f"the loop does not end: {calls}")
