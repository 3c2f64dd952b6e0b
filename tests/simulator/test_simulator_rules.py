"""The rule-based stand-in for a model: what it calls for which message, and what it says in the end."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_requests import (
    CALCULATOR,
    EXPRESSION,
    FILES,
    NUMBER,
    WEATHER,
    asked,
    chat,
    chunks,
    gathered,
    played,
    tool,
    user,
)

from agentkit.simulator.brains.arithmetic import compute, sums, written


def answer(name: str, arguments: dict[str, Any]) -> str:
    """What the example tools say."""
    match name:
        case "weather":
            return f"{arguments.get('city', 'there')}: sunny for {arguments.get('days', 1)} day(s)"
        case "calculate":
            return str(eval(arguments["expression"], {"__builtins__": {}}))
        case "add" | "subtract" | "multiply" | "divide":
            a, b = arguments["a"], arguments["b"]
            return str({"add": a + b, "subtract": a - b, "multiply": a * b, "divide": b and a / b}[name])
        case "list_files":
            return "a.txt\nbb.md\nccc.txt"
        case "read_file":
            texts = {"a.txt": "Short.", "bb.md": "A much longer text about the budget."}
            return texts.get(arguments["path"].rpartition("/")[2], "Neither long nor short.")
        case "search_files":
            return "bb.md:3: the budget"
        case "find_order":
            return json.dumps({"order_id": arguments["order_id"], "status": "delivered", "total": 39.9})
        case "list_notes":
            return "1: buy milk\n2: call Ada"
    return "done"


def city(name: str, days: int = 0) -> tuple[str, dict[str, Any]]:
    return "weather", {"city": name, "days": days} if days else {"city": name}


def binary(name: str, a: float, b: float) -> tuple[str, dict[str, Any]]:
    return name, {"a": a, "b": b}


def read(path: str) -> tuple[str, dict[str, Any]]:
    return "read_file", {"path": path}


def listed(folder: str = "") -> tuple[str, dict[str, Any]]:
    return "list_files", {"folder": folder} if folder else {}


ALL_IN_NOTES = [read("notes/a.txt"), read("notes/bb.md"), read("notes/ccc.txt")]

TABLE: list[tuple[list[dict[str, Any]], str, list[list[tuple[str, dict[str, Any]]]], str]] = [
    # Weather: one call for each city, days only where they are spoken of.
    ([WEATHER], "Paris and Tokyo this week?", [[city("Paris", 7), city("Tokyo", 7)]], "Paris: sunny for 7 day(s)."),
    (
        [WEATHER],
        "What's the weather in Paris and Tokyo?",
        [[city("Paris"), city("Tokyo")]],
        "Tokyo: sunny for 1 day(s).",
    ),
    ([WEATHER], "Will it rain in Berlin over the next 3 days?", [[city("Berlin", 3)]], "Berlin: sunny"),
    ([WEATHER], "weather in paris and new york", [[city("Paris"), city("New York")]], "New York: sunny"),
    ([WEATHER], "Do I need an umbrella in London today?", [[city("London")]], "London: sunny"),
    (
        [WEATHER],
        "Compare the forecast for Rome, Madrid and Lisbon",
        [[city("Rome"), city("Madrid"), city("Lisbon")]],
        "Lisbon: sunny",
    ),
    (
        [WEATHER],
        "Weather in Paris for 3 days and in Tokyo for 5 days",
        [[city("Paris", 3), city("Tokyo", 5)]],
        "Tokyo: sunny for 5 day(s).",
    ),
    ([WEATHER], "3-day forecast for Oslo and Bergen", [[city("Oslo", 3), city("Bergen", 3)]], "Bergen: sunny for 3"),
    (
        [WEATHER],
        "What's the weather in Rio de Janeiro for two days?",
        [[city("Rio de Janeiro", 2)]],
        "Rio de Janeiro: sunny for 2",
    ),
    ([WEATHER], "Paris?", [[city("Paris")]], "Paris: sunny"),
    ([WEATHER], 'How is the weather in "Saint-Étienne"?', [[city("Saint-Étienne")]], "Saint-Étienne: sunny"),
    # What no tool is for.
    ([WEATHER], "Who wrote Faust?", [], "None of my tools fits this"),
    ([WEATHER], "What is the capital of France?", [], "None of my tools fits this"),
    ([WEATHER], "Tell me a joke", [], "None of my tools fits this"),
    ([WEATHER], "Hello!", [], "I am a simulated model"),
    ([WEATHER], "What's the weather?", [], "To use `weather` I need `city`"),
    (CALCULATOR, "What's the weather in Paris?", [], "None of my tools fits this"),
    # Sums, step by step.
    (CALCULATOR, "What is (3 + 4) * 5?", [[binary("add", 3, 4)], [binary("multiply", 7, 5)]], "(3 + 4) * 5 = 35."),
    (EXPRESSION, "What is (3 + 4) * 5?", [[("calculate", {"expression": "(3 + 4) * 5"})]], "(3 + 4) * 5 = 35."),
    (CALCULATOR, "What is 17 times 23?", [[binary("multiply", 17, 23)]], "17 * 23 = 391."),
    (
        CALCULATOR,
        "add 2 and 3, then multiply by 4",
        [[binary("add", 2, 3)], [binary("multiply", 5, 4)]],
        "2 + 3 = 5, 5 * 4 = 20, so (2 + 3) * 4 = 20.",
    ),
    (CALCULATOR, "15% of 80", [[binary("divide", 15, 100)], [binary("multiply", 0.15, 80)]], "15 / 100 * 80 = 12."),
    (
        CALCULATOR,
        "What is 144 divided by 12, plus 5?",
        [[binary("divide", 144, 12)], [binary("add", 12, 5)]],
        "144 / 12 + 5 = 17.",
    ),
    (
        CALCULATOR,
        "Please compute (1+2)*(3+4)",
        [[binary("add", 1, 2), binary("add", 3, 4)], [binary("multiply", 3, 7)]],
        "(1 + 2) * (3 + 4) = 21.",
    ),
    (
        CALCULATOR,
        "Multiply 6 by 7 and add 2 and 3",
        [[binary("multiply", 6, 7), binary("add", 2, 3)]],
        "6 * 7 = 42, and 2 + 3 = 5.",
    ),
    (CALCULATOR, "subtract 8 from 20", [[binary("subtract", 20, 8)]], "20 - 8 = 12."),
    (CALCULATOR, "twelve plus thirty", [[binary("add", 12, 30)]], "12 + 30 = 42."),
    (CALCULATOR, "What is the sum of 1, 2 and 3?", [[binary("add", 1, 2)], [binary("add", 3, 3)]], "1 + 2 + 3 = 6."),
    ([WEATHER], "What is 2 + 2?", [], "2 + 2 = 4."),
    # Files: list, then read.
    (
        FILES,
        "List the files in notes and read the longest",
        [[listed("notes")], ALL_IN_NOTES],
        "The longest is notes/bb.md",
    ),
    (
        FILES,
        "list the files in the notes folder and read each",
        [[listed("notes")], ALL_IN_NOTES],
        "notes/a.txt: Short.",
    ),
    (FILES, "Summarise the notes folder", [[listed("notes")], ALL_IN_NOTES], "A much longer text"),
    (FILES, "read the first file in docs", [[listed("docs")], [read("docs/a.txt")]], "docs/a.txt: Short."),
    (FILES, "What files are there?", [[listed()]], "a.txt, bb.md, ccc.txt."),
    (FILES, "Read a.txt and bb.md", [[read("a.txt"), read("bb.md")]], "a.txt: Short. bb.md: A much longer text"),
    (FILES, "What does notes/a.txt say?", [[read("notes/a.txt")]], "notes/a.txt: Short."),
    (FILES, "Find the files that mention budget", [[("search_files", {"query": "budget"})]], "bb.md:3: the budget."),
    (
        FILES,
        "Search for 'release plan' in docs",
        [[("search_files", {"query": "release plan", "folder": "docs"})]],
        "bb.md:3",
    ),
    # Several kinds of tools at once.
    (
        [WEATHER, *CALCULATOR],
        "What's the weather in Paris?",
        [[city("Paris")]],
        "Paris: sunny",
    ),
    (
        [WEATHER, *FILES],
        "Read todo.txt and tell me the weather in Oslo",
        [[read("todo.txt"), city("Oslo")]],
        "Oslo: sunny",
    ),
]


@pytest.mark.parametrize(("tools", "prompt", "calls", "end"), TABLE, ids=[row[1] for row in TABLE])
def test_the_prompt_leads_to_these_calls_and_this_answer(
    tools: list[dict[str, Any]], prompt: str, calls: list[list[tuple[str, dict[str, Any]]]], end: str
) -> None:
    made, text = played(tools, prompt, answer)
    assert made == calls
    assert end in text
    schemas = {one["function"]["name"]: one["function"]["parameters"] for one in tools}
    for name, arguments in (call for step in made for call in step):
        jsonschema.validate(arguments, schemas[name])


LIGHT = tool(
    "set_light",
    "Switch a light of a room.",
    ["room", "state"],
    room="Room name.",
    state={"type": "string", "enum": ["on", "off", "dimmed"]},
    brightness={"type": "integer", "description": "Brightness in percent.", "minimum": 0, "maximum": 100},
)
CONVERT = tool(
    "convert_currency", "Convert an amount of money.", amount=NUMBER, from_currency="ISO code.", to_currency="ISO code."
)
FLIGHTS = tool(
    "search_flights",
    "Search flights between two cities.",
    ["origin", "destination", "date"],
    origin="City to start from.",
    destination="City to fly to.",
    date={"type": "string", "format": "date"},
    nonstop={"type": "boolean"},
)
MAIL = tool("send_email", "Send an email.", to="Address.", subject="Subject.", body="Text.")
BOOKING = tool(
    "book_table",
    "Book a table in a restaurant.",
    ["restaurant", "people"],
    restaurant="Name of the restaurant.",
    people={"type": "integer", "description": "Number of people."},
    time={"type": "string", "description": "Time as HH:MM."},
)
TRANSLATE = tool("translate", "Translate a text.", text="The text.", target_language="Language, e.g. French.")
REMINDER = tool("create_reminder", "Create a reminder.", text="What of.", date={"type": "string", "format": "date"})
STOCK = tool("stock_price", "Latest price of a stock.", symbol="Ticker symbol, e.g. AAPL.")
CLOCK = tool("get_time", "Current time in a timezone.", timezone="IANA timezone, e.g. Europe/Paris.")
PAGE = tool("fetch_page", "Fetch a web page.", url="Address.")
RESEARCH = tool("delegate_research", "Ask the research agent.", prompt="The task.")
POPULATION = tool(
    "population", "Number of inhabitants of countries.", countries={"type": "array", "items": {"type": "string"}}
)


@pytest.mark.parametrize(
    ("tools", "prompt", "calls"),
    [
        ([LIGHT], "Turn the light in the kitchen off", [("set_light", {"room": "Kitchen", "state": "off"})]),
        (
            [CONVERT],
            "Convert 100 USD to EUR",
            [("convert_currency", {"amount": 100, "from_currency": "USD", "to_currency": "EUR"})],
        ),
        (
            [CONVERT],
            "How much is 20 dollars in yen?",
            [("convert_currency", {"amount": 20, "from_currency": "USD", "to_currency": "JPY"})],
        ),
        (
            [FLIGHTS],
            "Find a flight from Berlin to New York tomorrow",
            [("search_flights", {"origin": "Berlin", "destination": "New York", "date": "2026-11-22"})],
        ),
        (
            [FLIGHTS],
            "Flights from Rome to Oslo on 5 March, nonstop please",
            [("search_flights", {"origin": "Rome", "destination": "Oslo", "date": "2027-03-05", "nonstop": True})],
        ),
        (
            [BOOKING],
            'Book a table at "Chez Nous" for 4 people at 7:30 pm',
            [("book_table", {"restaurant": "Chez Nous", "people": 4, "time": "19:30"})],
        ),
        ([TRANSLATE], "Translate hello to German", [("translate", {"text": "hello", "target_language": "German"})]),
        (
            [TRANSLATE],
            "Translate 'good morning' into French",
            [("translate", {"text": "good morning", "target_language": "French"})],
        ),
        (
            [REMINDER],
            "Remind me to call mum tomorrow",
            [("create_reminder", {"text": "call mum tomorrow", "date": "2026-11-22"})],
        ),
        (
            [STOCK, WEATHER],
            "Give me the stock price of NVDA and the weather in Austin",
            [("stock_price", {"symbol": "NVDA"}), ("weather", {"city": "Austin"})],
        ),
        ([STOCK], "What's the price of AAPL and MSFT?", [("stock_price", {"symbol": s}) for s in ("AAPL", "MSFT")]),
        ([CLOCK], "What time is it in Europe/Paris?", [("get_time", {"timezone": "Europe/Paris"})]),
        ([PAGE], "What is on https://example.com/a?", [("fetch_page", {"url": "https://example.com/a"})]),
        (
            [RESEARCH],
            "Research the history of tea",
            [("delegate_research", {"prompt": "Research the history of tea"})],
        ),
        (
            [POPULATION],
            "What is the population of France and Spain?",
            [("population", {"countries": ["France", "Spain"]})],
        ),
    ],
)
def test_arguments_are_filled_by_type(
    tools: list[dict[str, Any]], prompt: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    steps, _ = played(tools, prompt, answer)
    assert steps == [calls]


LINES = tool(
    "read_file",
    "Read a text file, or some of its lines.",
    ["path"],
    path="The file, relative to the top folder, e.g. notes/today.md.",
    start_line={"type": "integer", "description": "The first line wanted, from 1.", "default": 1},
    max_lines={"type": "integer", "description": "How many lines at most.", "default": 200},
)
WRITE = tool("write_file", "Write a text file.", path="The file.", text="The whole new content.")
ORDERS = [
    tool("find_order", "Look up an order by its number.", order_id="Order number, e.g. A-1001."),
    tool(
        "refund_order",
        "Refund an order, in full or in part.",
        ["order_id"],
        order_id="Order number, e.g. A-1001.",
        amount={"type": "number", "description": "How much, in euros; all of it when left out."},
        reason="Why.",
    ),
    tool("list_orders", "List the orders of a customer.", customer="Name of the customer."),
    tool("cancel_order", "Cancel an order that was not shipped.", order_id="Order number."),
]
NOTES = [
    tool("add_note", "Write a note down.", ["text"], text="What to note.", tag="A tag."),
    tool("list_notes", "List all notes.", []),
    tool("search_notes", "Search the notes for a word.", query="The word."),
    tool("delete_note", "Delete a note.", note_id={"type": "integer", "description": "Number of the note."}),
]
SEARCH = tool(
    "web_search",
    "Search the web.",
    ["query"],
    query="What to look for.",
    max_results={"type": "integer", "description": "How many results at most.", "default": 5},
)
CALENDAR = [
    tool(
        "add_event",
        "Add an event to the calendar.",
        ["title", "date"],
        title="Title.",
        date={"type": "string", "format": "date"},
        time="Time as HH:MM.",
    ),
    tool("list_events", "List the events of a day.", date={"type": "string", "format": "date", "description": "Day."}),
]
CLOCKS = [
    tool("current_time", "Tell the present date and time.", [], zone="A time zone, e.g. Asia/Shanghai."),
    tool(
        "convert_time",
        "Tell what a time in one time zone is in another.",
        ["time", "to_zone"],
        time="Date and time, or the time of today alone, e.g. 14:30.",
        to_zone="The zone wanted.",
        from_zone="The zone that it is meant in.",
    ),
]
DESK = [WEATHER, LINES, FILES[0], FILES[2], *ORDERS, *NOTES, *EXPRESSION]


def lines(path: str, start: int = 0, most: int = 0) -> tuple[str, dict[str, Any]]:
    wanted = {"path": path} | ({"start_line": start} if start else {}) | ({"max_lines": most} if most else {})
    return "read_file", wanted


def order(verb: str, number: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return f"{verb}_order", {"order_id": number, **more}


def note(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "add_note", {"text": text, **more}


DESK_TABLE: list[tuple[list[dict[str, Any]], str, list[list[tuple[str, dict[str, Any]]]]]] = [
    # One number is for one parameter: a beginning, or how many.
    ([LINES], "Read the first 3 lines of `weather.py`", [[lines("weather.py", most=3)]]),
    ([LINES], "Read weather.py from line 1, at most 4 lines", [[lines("weather.py", 1, 4)]]),
    ([LINES], "Show me at most 6 lines of weather.py", [[lines("weather.py", most=6)]]),
    ([LINES], "Read lines 10 to 20 of weather.py", [[lines("weather.py", 10)]]),
    ([LINES], "Read weather.py, lines 10-20", [[lines("weather.py", 10)]]),
    ([LINES], "Read weather.py starting at line 5", [[lines("weather.py", 5)]]),
    ([LINES], "Read 5 lines of weather.py from line 12", [[lines("weather.py", 12, 5)]]),
    ([LINES], "Read weather.py; no more than 10 lines please", [[lines("weather.py", most=10)]]),
    (
        [LINES],
        "Read the first 3 lines of weather.py and of files.py",
        [[lines("weather.py", most=3), lines("files.py", most=3)]],
    ),
    (DESK, "What is in weather.py after line 40?", [[lines("weather.py", 40)]]),
    (DESK, "Where is ToolError mentioned in the files?", [[("search_files", {"query": "ToolError"})]]),
    (DESK, "Find TODO in src", [[("search_files", {"query": "TODO", "folder": "src"})]]),
    (
        [LINES, WRITE],
        'Write "Hello, world" to hello.txt',
        [[("write_file", {"path": "hello.txt", "text": "Hello, world"})]],
    ),
    # What no tool does is not done with the next best.
    ([LINES], 'Write "Hello" to hello.txt', []),
    (NOTES[1:3], "Delete note 2", []),
    (ORDERS[:1], "Refund order A-1001", []),
    (DESK, "Send a mail to ada@example.com", []),
    (DESK, "How do I bake bread?", []),
    (DESK, "Who is the president?", []),
    (DESK, "Refund my order", []),
    # Orders and refunds.
    (DESK, "Refund order A-1001", [[order("refund", "A-1001")]]),
    (DESK, "I want my money back for order A-1001", [[order("refund", "A-1001")]]),
    (
        DESK,
        "Please refund 20 euros of order A-1001 because it came late",
        [[order("refund", "A-1001", amount=20, reason="it came late")]],
    ),
    (
        DESK,
        "Refund 15.50 for order #4521, reason: damaged",
        [[order("refund", "4521", amount=15.5, reason="damaged")]],
    ),
    (DESK, "Refund orders A-1001 and A-1002", [[order("refund", "A-1001"), order("refund", "A-1002")]]),
    (DESK, "Where is my order A-1001?", [[order("find", "A-1001")]]),
    (DESK, "Has order A-1001 been shipped?", [[order("find", "A-1001")]]),
    (DESK, "Cancel order B-77", [[order("cancel", "B-77")]]),
    (DESK, "What orders does Ada Lovelace have?", [[("list_orders", {"customer": "Ada Lovelace"})]]),
    (DESK, "Look up order A-1001 and refund it", [[order("find", "A-1001")], [order("refund", "A-1001")]]),
    # Notes.
    (DESK, "Add a note: buy milk", [[note("buy milk")]]),
    (DESK, "Write down that Ada called", [[note("Ada called")]]),
    (DESK, "Note that the meeting is at 10", [[note("the meeting is at 10")]]),
    (DESK, "Add a note 'call Ada' with the tag work", [[note("call Ada", tag="work")]]),
    (DESK, "What notes do I have?", [[("list_notes", {})]]),
    (DESK, "Do I have a note about milk?", [[("search_notes", {"query": "milk"})]]),
    (DESK, "Search my notes for milk", [[("search_notes", {"query": "milk"})]]),
    (DESK, "Delete the notes 1 and 3", [[("delete_note", {"note_id": 1}), ("delete_note", {"note_id": 3})]]),
    # What one tool says goes into the next.
    (DESK, "Weather in Paris, then note it down", [[city("Paris")], [note("Paris: sunny for 1 day(s)")]]),
    (DESK, "Refund order A-1001 and tell me the weather in Rome", [[order("refund", "A-1001"), city("Rome")]]),
    # The web, the calendar, the clock, sums.
    (
        [SEARCH, PAGE],
        "Search for Python 3.13 release date and fetch https://python.org",
        [[("web_search", {"query": "Python 3.13 release date"}), ("fetch_page", {"url": "https://python.org"})]],
    ),
    ([SEARCH], "Find 3 results about solar power", [[("web_search", {"query": "solar power", "max_results": 3})]]),
    (
        CALENDAR,
        "Add an event 'Dentist' tomorrow at 9:30",
        [[("add_event", {"title": "Dentist", "date": "2026-11-22", "time": "09:30"})]],
    ),
    (CALENDAR, "What is on my calendar tomorrow?", [[("list_events", {"date": "2026-11-22"})]]),
    (CLOCKS, "What time is it?", [[("current_time", {})]]),
    (CLOCKS, "What time is it in Tokyo?", [[("current_time", {"zone": "Asia/Tokyo"})]]),
    (
        CLOCKS,
        "Convert 15:00 in Europe/Berlin to America/New_York",
        [[("convert_time", {"time": "15:00", "to_zone": "America/New_York", "from_zone": "Europe/Berlin"})]],
    ),
    (EXPRESSION, "What is max(2, 3) * 3?", [[("calculate", {"expression": "max(2, 3) * 3"})]]),
    (CALCULATOR, "What is sqrt(16) * 3?", []),
    (CALCULATOR, "What is 12 * 3? Then subtract 6.", [[binary("multiply", 12, 3)], [binary("subtract", 36, 6)]]),
]


def told(name: str, arguments: dict[str, Any]) -> str:
    if name == "calculate":
        return str(eval(arguments["expression"], {"__builtins__": {"max": max}}))
    return answer(name, arguments)


@pytest.mark.parametrize(("tools", "prompt", "calls"), DESK_TABLE, ids=[row[1] for row in DESK_TABLE])
def test_at_a_desk_with_many_tools_the_prompt_leads_to_these_calls(
    tools: list[dict[str, Any]], prompt: str, calls: list[list[tuple[str, dict[str, Any]]]]
) -> None:
    made, text = played(tools, prompt, told)
    assert made == calls
    assert text
    schemas = {one["function"]["name"]: one["function"]["parameters"] for one in tools}
    for name, arguments in (call for step in made for call in step):
        jsonschema.validate(arguments, schemas[name])


def test_the_tables_are_as_long_as_they_should_be() -> None:
    assert len(TABLE) + len(DESK_TABLE) >= 60


def test_what_no_tool_does_is_said_so() -> None:
    _, text = played([LINES], 'Write "Hello" to hello.txt', answer)
    assert text == "None of my tools fits this, and as a simulated model I know nothing else. I can use `read_file`."
    _, text = played(DESK, "Refund my order", answer)
    assert text == "To use `refund_order` I need `order_id`, and your message does not say."


CONVERSATIONS: list[tuple[list[dict[str, Any]], list[tuple[str, list[tuple[str, dict[str, Any]]]]]]] = [
    (
        [WEATHER, *NOTES],
        [
            ("Weather in Paris?", [city("Paris")]),
            ("And in Berlin?", [city("Berlin")]),
            ("What about Rome and Oslo?", [city("Rome"), city("Oslo")]),
            ("And for 3 days?", [city("Oslo", 3)]),
            ("Thanks!", []),
        ],
    ),
    (
        [LINES, FILES[0]],
        [
            ("Read a.txt", [lines("a.txt")]),
            ("And bb.md?", [lines("bb.md")]),
            ("And the first 3 lines?", [lines("bb.md", most=3)]),
        ],
    ),
    (
        CALCULATOR,
        [
            ("What is 3 + 4?", [binary("add", 3, 4)]),
            ("Now multiply that by 3", [binary("multiply", 7, 3)]),
            ("And divide it by 7", [binary("divide", 21, 7)]),
        ],
    ),
    (
        ORDERS,
        [
            ("Where is order A-1001?", [order("find", "A-1001")]),
            ("And A-1002?", [order("find", "A-1002")]),
            ("Refund it", [order("refund", "A-1002")]),
            ("What about the orders of Bob Miller?", [("list_orders", {"customer": "Bob Miller"})]),
        ],
    ),
]


@pytest.mark.parametrize(("tools", "prompts"), CONVERSATIONS, ids=["weather", "files", "sums", "orders"])
def test_a_conversation_goes_on(
    tools: list[dict[str, Any]], prompts: list[tuple[str, list[tuple[str, dict[str, Any]]]]]
) -> None:
    history: list[dict[str, Any]] = []
    for prompt, calls in prompts:
        steps, text = played(tools, prompt, answer, history=history)
        assert (prompt, [call for step in steps for call in step]) == (prompt, calls)
        history += [user(prompt), *turns_of(steps, text)]


def turns_of(steps: list[list[tuple[str, dict[str, Any]]]], text: str) -> list[dict[str, Any]]:
    """The messages of a turn that is over."""
    turns: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        calls = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for place, (name, arguments) in enumerate(step)
        ]
        turns.append({"role": "assistant", "content": "", "tool_calls": calls})
        turns += [
            {"role": "tool", "tool_call_id": call["id"], "content": answer(name, arguments)}
            for call, (name, arguments) in zip(calls, step, strict=True)
        ]
    return [*turns, {"role": "assistant", "content": text}]


@pytest.mark.parametrize(("kind", "values"), [("number", (52.52, 13.405)), ("string", ("52.5200", "13.4050"))])
def test_coordinates_are_filled_in_order(kind: str, values: tuple[Any, Any]) -> None:
    schema = {"type": kind, "description": "In degrees."}
    place = tool("weather", "Gets current weather for a location", latitude=schema, longitude=schema)
    steps, _ = played([place], "What's the weather in Berlin? (52.5200, 13.4050)", answer)
    assert steps == [[("weather", {"latitude": values[0], "longitude": values[1]})]]


def test_an_answer_of_one_tool_fills_the_next() -> None:
    tools = [
        tool("find_customer", "Find a customer by name.", name="Name of the customer."),
        tool("list_orders", "List the orders of a customer.", customer_id={"type": "integer"}),
    ]
    answers = {"find_customer": '{"id": 7, "city": "Oslo"}', "list_orders": '[{"order": 1, "total": 30}]'}
    steps, text = played(tools, "Find the customer Ada Lovelace and list the orders", lambda name, _: answers[name])
    assert steps == [[("find_customer", {"name": "Ada Lovelace"})], [("list_orders", {"customer_id": 7})]]
    assert "total: 30" in text


def test_a_tool_that_gives_what_another_needs_is_called_first() -> None:
    tools = [WEATHER, tool("current_city", "The city where the user is.")]
    steps, _ = played(tools, "What's the weather here?", lambda name, args: "Oslo" if not args else answer(name, args))
    assert steps == [[("current_city", {})], [city("Oslo")]]


def test_a_follow_up_means_the_tool_that_was_called_before() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    history = [
        user("What's the weather in Paris?"),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
    ]
    steps, _ = played([WEATHER, *FILES], "And in Berlin?", answer, history=history)
    assert steps == [[city("Berlin")]]


def test_a_tool_that_fails_is_not_asked_again_and_its_error_is_told() -> None:
    steps, text = played([WEATHER], "Weather in Paris?", lambda *_: "Error: the service is down")
    assert len(steps) == 1
    assert text == "`weather` (Paris) did not work: Error: the service is down."


def test_a_sum_whose_tool_fails_ends() -> None:
    steps, text = played(CALCULATOR, "What is (3 + 4) * 5?", lambda *_: "Error: out of order")
    assert steps == [[binary("add", 3, 4)]]
    assert "did not work" in text


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_forced_choice_is_honoured_even_if_nothing_fits(choice: Any) -> None:
    message = asked(chat(user("When did Rome fall?"), tools=[WEATHER], tool_choice=choice))["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["weather"]
    jsonschema.validate(
        json.loads(message["tool_calls"][0]["function"]["arguments"]), WEATHER["function"]["parameters"]
    )


def test_a_named_choice_keeps_only_that_tool() -> None:
    choice = {"type": "function", "function": {"name": "read_file"}}
    body = chat(user("Weather in Paris?"), tools=[WEATHER, *FILES], tool_choice=choice)
    assert [call["function"]["name"] for call in asked(body)["choices"][0]["message"]["tool_calls"]] == ["read_file"]


def test_under_none_no_tool_is_called() -> None:
    message = asked(chat(user("Weather in Paris?"), tools=[WEATHER], tool_choice="none"))["choices"][0]["message"]
    assert "tool_calls" not in message
    assert "simulated model" in message["content"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_loop_that_always_forces_a_call_still_ends(choice: Any) -> None:
    steps, text = played([WEATHER], "Weather in Paris?", answer, tool_choice=choice)
    assert steps == [[city("Paris")]]
    assert text == "Paris: sunny for 1 day(s)."


def test_under_force_a_tool_for_the_final_answer_comes_last() -> None:
    tools = [tool("final_answer", "Give the final answer.", city="The city.", text="The forecast."), WEATHER]
    steps, _ = played(tools, "Weather in Paris?", answer, tool_choice="required")
    assert [name for step in steps for name, _ in step] == ["weather", "final_answer"]


def test_thinking_tells_what_it_does() -> None:
    body = {**chat(user("Weather in Paris and Tokyo?"), tools=[WEATHER]), "thinking": {"type": "enabled"}}
    reasoning = asked(body)["choices"][0]["message"]["reasoning_content"]
    assert "weather for Paris; weather for Tokyo" in reasoning


def test_json_is_answered_as_json_under_the_key_that_is_asked_for() -> None:
    body = chat(user("What is 6 * 7? Answer with JSON with the key `result`."), response_format={"type": "json_object"})
    assert json.loads(asked(body)["choices"][0]["message"]["content"]) == {"result": 42}
    plain = chat(user("Hello, in JSON"), response_format={"type": "json_object"})
    assert list(json.loads(asked(plain)["choices"][0]["message"]["content"])) == ["answer"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 ^ 10", ["2 ^ 10 = 1024"]),
        ("10 - 4 - 3", ["10 - 4 - 3 = 3"]),
        ("10 - (4 - 3)", ["10 - (4 - 3) = 9"]),
        ("half of 30", ["30 / 2 = 15"]),
        ("5 squared", ["5 ^ 2 = 25"]),
        ("1,000 * 3", ["1000 * 3 = 3000"]),
        ("the difference between 10 and 4", ["10 - 4 = 6"]),
        ("Add 5 and 7. Then double it.", ["(5 + 7) * 2 = 24"]),
        ("from 2026-11-21 to 2026-12-24", []),
        ("version 1.2.3 of room A-12", []),
        ("call me at 10 or 11", []),
        ("((((((((1+1)))))))) + 1", []),
    ],
)
def test_sums_are_read_from_signs_and_words(text: str, values: list[str]) -> None:
    if values:
        assert [f"{written(node)} = {compute(node):g}" for node in sums(text)] == values
    else:
        assert all(compute(node) is not None for node in sums(text))


@pytest.mark.parametrize(
    "text", ["What is (3 + 4) * 5?", "Add 5 and 7. Then double it.", "15% of 80", "twelve plus thirty", "room A-12"]
)
def test_a_sum_is_found_in_a_long_text_as_in_a_short_one(text: str) -> None:
    around = "The quick fox jumps over a lazy dog, minus the well-known cat. " * 12
    assert sums(f"{around}{text} {around}") == sums(text)
    assert sums(f"{text} {around}{text}") == sums(text) * 2


operators = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
    max_leaves=6,
)


@given(operators, st.sampled_from("+-*"), st.integers(0, 99))
def test_any_expression_is_worked_out_over_as_many_rounds_as_it_needs(left: str, sign: str, right: int) -> None:
    text = f"{left} {sign} {right}"
    if text.count("(") > 5:  # deeper brackets are not read
        return
    steps, told = played(CALCULATOR, f"What is {text}?", answer, rounds=12)
    assert told.endswith(f"= {eval(text)}.")
    assert all(len({json.dumps(call) for call in step}) == len(step) for step in steps)


# ── Whatever comes ───────────────────────────────────────────────────────────────────────────────────────────────────

numbers = st.integers(-20, 20)
leaf_schemas = (
    st.just({"type": "boolean"})
    | st.builds(lambda low, span: {"type": "integer", "minimum": low, "maximum": low + abs(span)}, numbers, numbers)
    | st.just({"type": "number", "exclusiveMinimum": 0})
    | st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3, unique=True).map(
        lambda members: {"type": "string", "enum": members}
    )
    | st.just({"type": "string", "minLength": 3, "maxLength": 30})
    | st.just({"type": "string", "format": "date"})
    | st.just({"anyOf": [{"type": "null"}, {"type": "integer"}]})
    | st.just({"type": ["string", "null"]})
)
schemas = st.recursive(
    leaf_schemas,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner)
        | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2).map(
            lambda known: {
                "type": "object",
                "properties": known,
                "required": list(known),
                "additionalProperties": False,
            }
        )
    ),
    max_leaves=4,
)
names = st.sampled_from(
    ["city", "days", "path", "query", "amount", "from_date", "to", "user_id", "flag", "text", "value"]
)
prompts = st.sampled_from([row[1] for row in TABLE]) | st.text(max_size=60) | st.text("aPn0 12,.'\"()?/+-", max_size=40)


@given(st.dictionaries(names, schemas, max_size=4), prompts, st.data())
def test_forced_arguments_always_fit_the_schema(properties: dict[str, Any], prompt: str, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    one = tool("weather", "Forecast for a city.", wanted, **properties)
    body = chat(user(prompt), tools=[one], tool_choice="required")
    message = gathered(chunks(body))
    for call in message["tool_calls"]:
        jsonschema.validate(json.loads(call["function"]["arguments"]), one["function"]["parameters"])


@given(prompts, st.sampled_from([[WEATHER], CALCULATOR, FILES, [LIGHT, CONVERT, FLIGHTS, MAIL, BOOKING]]))
def test_every_loop_ends_and_never_repeats_a_call(prompt: str, tools: list[dict[str, Any]]) -> None:
    steps, text = played(tools, prompt, lambda *_: "7", rounds=20)
    made = [json.dumps(call, sort_keys=True) for step in steps for call in step]
    assert len(set(made)) == len(made)
    assert text
    schemas = {one["function"]["name"]: one["function"]["parameters"] for one in tools}
    for name, arguments in (call for step in steps for call in step):
        jsonschema.validate(arguments, schemas[name])
