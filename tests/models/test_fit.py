"""What a request becomes for a model: sent, dropped, told otherwise, or refused before it is sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import Agent, Limits
from agentkit.errors import ConfigurationError, ContextOverflow, Rejected
from agentkit.events import Warned
from agentkit.messages import Assistant, Image, Note, System, Text, ToolCall, ToolMessage, User
from agentkit.models import open_model
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.dialects.chat_history import GO_ON
from agentkit.models.fit import fit, flipped, other_model, tokens_about
from agentkit.models.request import Request, Settings
from agentkit.models.rows import ModelRow
from agentkit.simulator import Simulator
from agentkit.tools import Tool
from agentkit.transcript import Transcript

FLASH = "deepseek:deepseek-flash"
R1, V3, TERMINUS = "lkeap:deepseek-r1", "lkeap:deepseek-v3", "lkeap:deepseek-v3.1-terminus"


def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


def clock() -> str:
    """Tell the time."""
    return "noon"


WEATHER, CLOCK = Tool(weather), Tool(clock)


def fitted(name, *tools, **settings):
    return fit(Settings(**settings), tools, find(name)[1])


def body(name, *entries, tools=(), instructions=None, stream=False, **settings):
    """The first request of a run as JSON, and the warnings that it gives."""
    seen = []
    request = Request(
        Transcript(entries or [User("hi")]),
        instructions=instructions,
        tools=tools,
        settings=Settings(**settings),
        emit=seen.append,
    )
    sent = json.loads(Chat().encoder(find(name)[1]).encode(request, stream=stream))
    return sent, [one.text for one in seen if isinstance(one, Warned)]


ALL = {
    "max_tokens": 9,
    "temperature": 0.5,
    "frequency_penalty": 1,
    "presence_penalty": -1,
    "stop": ["a", "b"],
    "n": 1,
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "reasoning_effort": "high",
    "user_id": "u-1",
}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (R1, ["max_tokens", "temperature"]),
        (V3, ["max_tokens", "temperature"]),
        (TERMINUS, ["max_tokens", "temperature", "frequency_penalty", "presence_penalty"]),
        ("lkeap-cn:deepseek-r1-0528", ["max_tokens", "temperature"]),
        ("evolink:deepseek-reasoner", [one for one in ALL if one != "temperature"]),
        ("deepseek-v3.2-exp:deepseek-reasoner", [one for one in ALL if "logprobs" not in one]),
        ("openai:m", list(ALL)),
        (FLASH, list(ALL)),
    ],
)
def test_only_what_the_endpoint_takes_is_sent_and_the_rest_is_told(name, kept):
    sent, warnings = body(name, **ALL)
    assert {key: value for key, value in sent.items() if key in ALL} == {key: ALL[key] for key in kept}
    dropped = [one for one in ALL if one not in kept and one != "n"]
    assert sorted(text.split("`")[1] for text in warnings if "is not sent" in text) == sorted(dropped)


def test_a_streamed_request_asks_for_its_usage_but_where_nothing_else_may_be_sent():
    assert body(FLASH, stream=True)[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(R1, stream=True)[0]


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (FLASH, {"temperature": 2.1}, "`temperature=2.1`: `deepseek-flash` takes 0 to 2"),
        (FLASH, {"temperature": float("nan")}, "`temperature=nan`"),
        (FLASH, {"temperature": "hot"}, "it must be a number"),
        (FLASH, {"temperature": True}, "it must be a number"),
        (FLASH, {"top_p": 0}, "takes above 0 to 1"),
        (TERMINUS, {"top_p": 1}, "takes 0 to below 1"),
        (FLASH, {"frequency_penalty": 3}, "takes -2 to 2"),
        (FLASH, {"presence_penalty": -3}, "takes -2 to 2"),
        (FLASH, {"max_tokens": 0}, "takes 1 to 393216"),
        (FLASH, {"max_tokens": 393_217}, "takes 1 to 393216"),
        (FLASH, {"max_tokens": 1.5}, "it must be a whole number"),
        ("deepseek-v3.2:deepseek-chat", {"max_tokens": 8_193}, "takes 1 to 8192"),
        (R1, {"max_tokens": 32_001}, "takes 1 to 32000"),
        (FLASH, {"n": 2}, "takes 1 to 1"),
        (FLASH, {"seed": -1}, "`seed=-1`"),
        (FLASH, {"stop": list("abcdefghijklmnopq")}, "`stop` has 17 texts, but `deepseek-flash` takes 0 to 16"),
        ("tokenhub:deepseek-v4-pro", {"stop": list("abcde")}, "takes 0 to 4"),
        (FLASH, {"stop": [1]}, "it must be a text or a list of texts"),
        (FLASH, {"logprobs": True, "top_logprobs": 21}, "takes 0 to 20"),
        (FLASH, {"top_logprobs": 3}, "`top_logprobs` needs `logprobs=True`"),
        (FLASH, {"logprobs": 1}, "it must be `True` or `False`"),
        (FLASH, {"thinking": "yes"}, "it must be `True` or `False`"),
        (FLASH, {"reasoning_effort": "huge"}, "takes `none`, `minimal`"),
        (FLASH, {"user_id": "a b"}, "`user_id='a b'`"),
        (FLASH, {"user_id": "x" * 513}, "1 to 512"),
        (FLASH, {"response_format": {"type": "json_schema"}}, "takes only `text`, `json_object`"),
        (R1, {"response_format": {"type": "json_object"}}, "takes only `text`"),
        ("evolink:deepseek-reasoner", {"response_format": {"type": "json_object"}}, "takes only `text`"),
        (FLASH, {"extra_body": {"messages": []}}, "pass them as `history=`"),
    ],
)
def test_what_would_be_refused_is_refused_before_it_is_sent(name, settings, words):
    with pytest.raises(ConfigurationError) as caught:
        fitted(name, **settings)
    assert words in str(caught.value)


@given(
    settings=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0, 1, exclude_min=True, exclude_max=True),
            "max_tokens": st.integers(1, 4096),
            "stop": st.lists(st.text(), max_size=4) | st.text(),
            "seed": st.integers(0, 2**63 - 1),
            "thinking": st.booleans(),
            "logprobs": st.booleans(),
        },
    ),
    name=st.sampled_from([FLASH, R1, V3, TERMINUS, "evolink:deepseek-reasoner", "openai:m", "ollama:deepseek-r1:8b"]),
)
def test_settings_in_their_ranges_are_sent_as_they_are_or_not_at_all_and_then_said(settings, name):
    sent, warnings = body(name, **settings)
    for key in ("temperature", "top_p", "max_tokens", "stop", "seed", "logprobs"):
        if settings.get(key) not in (None, "", []):
            assert sent.get(key) == settings[key] or any(text.startswith(f"`{key}` is not sent") for text in warnings)


def test_temperature_beside_top_p_is_warned_of_and_sent():
    result = fitted("openai:m", temperature=1, top_p=0.5)
    assert result.fields == {"temperature": 1, "top_p": 0.5}
    assert result.warnings == (
        "`temperature` and `top_p` are both set: change one of them only, since they work together",
    )


def test_what_has_no_effect_is_sent_and_said():
    assert fitted(FLASH, temperature=0).warnings == ("`temperature` has no effect on `deepseek-flash` while it thinks",)
    assert fitted(FLASH, temperature=0, thinking=False).warnings == ()
    assert fitted(FLASH, presence_penalty=1).fields == {"presence_penalty": 1}


@pytest.mark.parametrize(
    ("name", "settings", "fields", "thinks"),
    [
        (FLASH, {}, {}, True),
        (FLASH, {"thinking": False}, {"thinking": {"type": "disabled"}}, False),
        (FLASH, {"reasoning_effort": "none"}, {"reasoning_effort": "none"}, False),
        (
            FLASH,
            {"reasoning_effort": "none", "thinking": True},
            {"reasoning_effort": "none", "thinking": {"type": "enabled"}},
            True,
        ),
        (
            "vllm:qwen3",
            {"thinking": False},
            {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}},
            False,
        ),
        ("ollama:qwen3", {"thinking": False, "reasoning_effort": "high"}, {"reasoning_effort": "none"}, False),
        ("openrouter:qwen3", {"thinking": True}, {"reasoning": {"enabled": True}}, True),
        (R1, {"thinking": True}, {}, True),
        (R1, {"thinking": False}, {}, True),
        ("lmstudio:qwen3", {"thinking": True}, {}, False),
    ],
)
def test_thinking_is_asked_for_in_the_hosts_words(name, settings, fields, thinks):
    result = fitted(name, **settings)
    assert (result.fields, result.thinks) == (fields, thinks)
    assert bool(result.warnings) == (settings.get("thinking") not in (None, thinks))


MUST = "Answer by calling at least one of the tools."
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("name", "choice", "thinking", "tools", "sent", "reminder"),
    [
        (FLASH, "required", None, (WEATHER, CLOCK), "auto", MUST),
        (FLASH, "weather", None, (WEATHER, CLOCK), "auto", "Answer by calling the tool `weather`."),
        (FLASH, "required", False, (WEATHER, CLOCK), "required", None),
        (FLASH, "weather", False, (WEATHER, CLOCK), NAMED, None),
        (FLASH, "none", None, (WEATHER,), "none", None),
        (FLASH, "auto", None, (WEATHER,), "auto", None),
        (FLASH, "auto", None, (), None, None),
        (V3, "required", None, (WEATHER, CLOCK), "auto", MUST),
        (V3, "required", None, (WEATHER,), NAMED, None),
        (V3, "weather", None, (WEATHER, CLOCK), NAMED, None),
        ("evolink:deepseek-chat", "weather", None, (WEATHER, CLOCK), "required", None),
        (
            "evolink:deepseek-v4-flash",
            "weather",
            None,
            (WEATHER, CLOCK),
            "auto",
            "Answer by calling the tool `weather`.",
        ),
        ("openai:m", "required", True, (WEATHER, CLOCK), "required", None),
    ],
)
def test_a_tool_choice_that_is_not_taken_is_told_in_words(name, choice, thinking, tools, sent, reminder):
    result = fitted(name, *tools, tool_choice=choice, thinking=thinking)
    assert (result.fields.get("tool_choice"), result.reminder) == (sent, reminder)
    assert any("with a reminder in words" in text for text in result.warnings) == (reminder is not None)


def test_a_named_tool_alone_is_what_required_leaves_where_names_are_not_taken():
    assert fitted("evolink:deepseek-chat", WEATHER, CLOCK, tool_choice="weather").tools == (WEATHER,)


def test_the_reminder_is_one_message_at_the_end_until_a_tool_was_called():
    settings = {"tools": (WEATHER,), "tool_choice": "required"}
    said = [User("weather?")]
    sent, _ = body(FLASH, *said, **settings)
    assert sent["messages"] == [{"role": "user", "content": "weather?"}, {"role": "system", "content": MUST}]
    said += [Assistant("", "", (ToolCall("1", "weather", "{}"),)), ToolMessage("1", "weather", "sunny")]
    sent, _ = body(FLASH, *said, **settings)
    assert [one["role"] for one in sent["messages"]] == ["user", "assistant", "tool"]


def test_tools_stay_in_the_request_to_the_last_turn():
    said = [User("a"), Assistant("", "", (ToolCall("1", "weather", "{}"),)), ToolMessage("1", "weather", "sunny")]
    for choice in (None, "auto", "none"):
        assert body(FLASH, *said, tools=(WEATHER,), tool_choice=choice)[0]["tools"] == [WEATHER.definition()]


def test_images_are_refused_before_sending_where_there_is_no_vision():
    picture = User((Text("what is this?"), Image("https://x/y.png")))
    for name in (R1, V3, "evolink:deepseek-v4-flash", "deepseek-v4:deepseek-v4-flash"):
        with pytest.raises(ConfigurationError, match="takes no images"):
            body(name, picture)
    assert body(FLASH, picture)[0]["messages"][0]["content"][1]["type"] == "image_url"


def test_a_retired_name_says_what_to_use():
    (warning,) = fitted("deepseek:deepseek-chat").warnings
    assert "retired on 2026-07-24" in warning
    assert "use `deepseek-flash`" in warning


def test_each_warning_is_told_once_in_a_run():
    request = Request(Transcript([User("hi")]), settings=Settings(stop="x"), emit=(seen := []).append)
    encoder = Chat().encoder(find(R1)[1])
    encoder.encode(request, stream=False)
    encoder.encode(request, stream=True)
    Chat().encoder(find(R1)[1]).encode(request, stream=True)
    assert seen == [Warned("`stop` is not sent: `deepseek-r1` does not take it")]


# The limit on the input


def test_messages_that_are_perhaps_too_long_are_warned_of_and_those_that_surely_are_are_not_sent():
    assert body(R1, User("word " * 9_000))[1] == []
    (warning,) = body(R1, User("word " * 12_000))[1]
    assert "but `deepseek-r1` takes 16,000 at most; the largest message, of the user, has 60,000 characters" in warning
    with pytest.raises(ContextOverflow, match="nothing was sent"):
        body(R1, User("short"), Assistant("x"), User("word " * 30_000))
    assert body(TERMINUS, User("word " * 30_000))[1] == []


@given(st.text())
def test_tokens_are_estimated_by_the_documents_rule(text):
    assert tokens_about(text.encode()) >= 0.3 * sum(one < "\x80" for one in text)
    assert tokens_about("汉".encode() * 10) == 6
    assert tokens_about(b"a" * 10) == 3


# Another model that answers, another policy


@pytest.mark.parametrize(
    ("name", "served", "warned"),
    [
        ("deepseek:deepseek-reasoner", "deepseek-chat", True),
        ("deepseek:deepseek-reasoner", "deepseek-v4-flash", False),
        ("deepseek:deepseek-reasoner", "deepseek-reasoner", False),
        ("deepseek:deepseek-v4-pro", "deepseek-flash", False),
        ("openrouter:deepseek/deepseek-v4-pro", "deepseek-v4-pro-20260813", False),
        ("deepseek:deepseek-flash", None, False),
        ("deepseek:deepseek-chat", "whatever", False),
    ],
)
def test_another_model_that_answers_a_reasoner_with_tools_is_noticed(name, served, warned):
    row = find(name)[1]
    assert (other_model(row, (WEATHER,), row.thinks(None), served) is not None) == warned
    assert other_model(row, (), row.thinks(None), served) is None


def test_a_refusal_that_speaks_of_reasoning_flips_the_policy():
    for policy, other in (("strip", "always"), ("turn", "strip"), ("always", "strip")):
        row, text = flipped(ModelRow(name="m", reasoning=policy), Rejected("no `reasoning_content` here", status=400))
        assert row.reasoning == other
        assert "reasoning_content" in text
    assert flipped(ModelRow(name="m"), Rejected("no", status=400)) is None
    assert flipped(ModelRow(name="m"), Rejected("reasoning_content", status=401)) is None


# Users and assistants by turns

entries = st.lists(
    st.one_of(
        st.builds(System, st.text()),
        st.builds(User, st.text() | st.lists(st.builds(Text, st.text()), max_size=3).map(tuple)),
        st.builds(
            Assistant,
            st.text(),
            st.none() | st.text(),
            st.lists(st.builds(ToolCall, st.sampled_from("abc"), st.just("weather"), st.text()), max_size=2).map(tuple),
        ),
        st.builds(ToolMessage, st.sampled_from("abcd"), st.just("weather"), st.text()),
        st.builds(Note, st.just("x")),
    ),
    max_size=12,
)


@given(
    entries=entries, instructions=st.none() | st.text(min_size=1), name=st.sampled_from([R1, "ollama:deepseek-r1:14b"])
)
def test_any_transcript_becomes_turns_for_r1(entries, instructions, name):
    encoder = Chat().encoder(find(name)[1])
    messages = json.loads(encoder.encode(Request(Transcript(entries), instructions=instructions), stream=False))[
        "messages"
    ]
    roles = [one["role"] for one in messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert all(set(one) == {"role", "content"} for one in messages)
    if instructions:
        assert messages[0]["content"].startswith(instructions)


def test_instructions_go_into_the_first_message_of_the_user():
    sent, _ = body(
        R1, System("Be kind."), User("hi"), User("there"), Assistant("yes", "because"), instructions="Be brief."
    )
    assert sent["messages"] == [
        {"role": "user", "content": "Be brief.\n\nBe kind.\n\nhi\n\nthere"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": GO_ON},
    ]


def test_calls_of_the_past_are_told_in_words_where_there_are_no_tools():
    said = [
        User("weather?"),
        Assistant("I look.", None, (ToolCall("1", "weather", '{"city":"Rome"}'),)),
        ToolMessage("1", "weather", "sunny"),
    ]
    wanted = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": 'I look.\n\nI call `weather` with {"city":"Rome"}'},
        {"role": "user", "content": "`weather` answered: sunny"},
    ]
    assert body(R1, *said)[0]["messages"] == wanted
    assert body(TERMINUS, *said)[0]["messages"] == wanted


@given(entries=entries.filter(bool), name=st.sampled_from([FLASH, R1, TERMINUS, "openai:m"]))
def test_each_request_begins_as_the_one_before_it(entries, name):
    transcript, encoder = Transcript(), Chat().encoder(find(name)[1])
    before = b""
    for entry in entries:
        transcript.append(entry)
        if isinstance(entry, ToolMessage | Note) or transcript.open_calls:
            continue
        sent = encoder.encode(Request(transcript), stream=False)
        fresh = Chat().encoder(find(name)[1]).encode(Request(transcript), stream=False)
        assert sent == fresh
        kept = closed(before)
        assert sent.startswith(kept)
        before = sent


def closed(sent):
    """The part of a request that stands for good: its messages but the last, which R1's rule may let grow."""
    if not sent:
        return b""
    messages = json.loads(sent)["messages"]
    if len(messages) < 3:
        return b""
    again = [json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode() for one in messages[:-2]]
    head = sent.index(b'"messages":[') + len(b'"messages":[')
    return sent[:head] if not sent[head:].startswith(b",".join(again)) else sent[: head + len(b",".join(again))]


# On the simulator

RUNS = [
    (
        "deepseek:deepseek-reasoner",
        "deepseek-v3.2-exp",
        {},
        ["retired", "but `deepseek-chat` answered", "no longer sent"],
    ),
    ("deepseek:deepseek-flash", "deepseek", {"tool_choice": "required"}, ["sent as `auto`"]),
    ("deepseek-v3.2:deepseek-reasoner", "deepseek-v3.2", {"tool_choice": "weather"}, ["sent as `auto`"]),
    ("deepseek-v4:deepseek-v4-pro", "deepseek-v4", {}, []),
    (V3, "lkeap", {"tool_choice": "required", "stop": "x"}, ["`stop` is not sent"]),
    ("evolink:deepseek-chat", "evolink", {"tool_choice": "weather"}, ["use `deepseek-v4-flash`"]),
    ("vllm:deepseek-v3.2", "vllm", {}, []),
    ("sglang:deepseek-v3.2", "sglang", {}, []),
    ("llamacpp:deepseek-v3.2", "llama.cpp", {}, []),
    ("ollama:deepseek-v3.2", "ollama", {}, []),
    ("openai:deepseek-v3.2", "openai-compatible+think-tags", {}, []),
]


@pytest.mark.parametrize(("name", "profile", "settings", "warned"), RUNS, ids=[f"{run[0]} {run[2]}" for run in RUNS])
def test_a_run_with_tools_comes_through_at_every_endpoint(name, profile, settings, warned):
    simulator, seen = Simulator(profile), []
    model = open_model(name, base_url="http://simulator/v1", api_key="k", transport=simulator.transport())
    agent = Agent(model, tools=[weather], settings=Settings(**settings), limits=Limits(steps=4))
    result = agent.run("What is the weather in Paris?", on_event=seen.append)
    assert result.output == "Paris: sunny."
    texts = [one.text for one in seen if isinstance(one, Warned)]
    assert len(texts) == len(warned)
    assert all(any(words in text for text in texts) for words in warned)


def test_a_flipped_policy_holds_for_the_runs_to_come():
    model = open_model(
        "deepseek:deepseek-reasoner",
        base_url="http://simulator",
        api_key="k",
        transport=Simulator("deepseek-v3.2-exp").transport(),
    )
    agent = Agent(model, tools=[weather])
    agent.run("What is the weather in Paris?")
    assert model.row.reasoning == "strip"
    seen = []
    agent.run("What is the weather in Rome?", on_event=seen.append)
    assert not any("reasoning_content" in one.text for one in seen if isinstance(one, Warned))
