"""An agent that looks into the files of one folder, and cannot leave it.

What it shows: ready-made tools from `agentkit_tools`, and a conversation of two prompts, where the second run goes on
from the first one's result.

    python examples/files.py                            offline, on the built-in simulator, in the folder of this file
    python examples/files.py deepseek:deepseek-flash    on DeepSeek, with DEEPSEEK_API_KEY set
    agentkit run examples/files.py "Read the largest file."
"""

import os
import sys
from pathlib import Path

from agentkit import Agent
from agentkit_tools.files import files

FOLDER = Path(__file__).parent

agent = Agent(
    os.environ.get("AGENTKIT_MODEL", "sim:deepseek-flash"),
    instructions="You answer questions about the files of a folder. Quote what you have read, and make nothing up.",
    tools=files(FOLDER),
)


def main() -> None:
    """Ask which files there are, then where a word stands in them."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    first = agent.run("Which files are in the folder?", model=model)
    print(first.output)
    second = agent.run("Search the files for the text 'ToolError'.", history=first, model=model)
    print(second.output)


if __name__ == "__main__":
    main()
