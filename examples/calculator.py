"""A sum that takes several rounds, since each step needs the result of the one before.

What it shows: the loop. The model calls a tool, is told the result, calls the next, and answers when it has the last.
What happens on the way is printed as it happens.

    python examples/calculator.py                            offline, on the built-in simulator
    python examples/calculator.py deepseek:deepseek-flash    on DeepSeek, with DEEPSEEK_API_KEY set
    agentkit run examples/calculator.py "What is 2 * (3 + 4)?"
"""

import os
import sys

from agentkit import Agent, Event, ToolError, ToolMessage, ToolStarted, tool


@tool(side_effects="none")
def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


@tool(side_effects="none")
def subtract(a: float, b: float) -> float:
    """Subtract b from a."""
    return a - b


@tool(side_effects="none")
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@tool(side_effects="none")
def divide(a: float, b: float) -> float:
    """Divide a by b."""
    if b == 0:
        raise ToolError("a number cannot be divided by zero")
    return a / b


agent = Agent(
    os.environ.get("AGENTKIT_MODEL", "sim:deepseek-flash"),
    instructions="Calculate with the tools, step by step; never in your head.",
    tools=[add, subtract, multiply, divide],
)


def show(event: Event) -> None:
    """Print each call as it begins, and each result as it comes."""
    match event:
        case ToolStarted(call):
            print(f"  {call.name} {call.arguments}")
        case ToolMessage():
            print(f"  → {event.text}")
        case _:
            pass


def main() -> None:
    """Ask for a sum of four steps and print the way to its result."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    result = agent.run("What is ((12.5 + 7.5) * 6 - 30) / 4?", model=model, on_event=show)
    print(result.output)
    print(f"({result.steps} model calls)")


if __name__ == "__main__":
    main()
