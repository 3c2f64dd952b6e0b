"""The file of tests that docs/guides/testing.md shows, given to pytest."""

from pathlib import Path

import project
from test_docs import ROOT, blocks

pytest_plugins = ["pytester"]

PROGRAM = '''
from agentkit import Agent, tool


@tool
def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


agent = Agent("openai:deepseek-flash", tools=[weather])

if __name__ == "__main__":
    print(agent.run("Weather in Paris?").output)
'''


def test_the_tests_of_the_page_pass(pytester):
    text = Path(ROOT / "docs/guides/testing.md").read_text(encoding="utf-8")
    (shown,) = [one.code for one in blocks(text) if one.language == "python" and "def test_" in one.code]
    pytester.makepyfile(my_program=PROGRAM, test_shown=shown)
    project.ini(pytester, "pythonpath = .", guard=True)
    project.run(pytester).assert_outcomes(passed=shown.count("def test_"))
