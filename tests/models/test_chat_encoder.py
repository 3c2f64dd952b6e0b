"""Request bodies: what the recorded clients sent, byte-stable from the front, each message encoded once."""

import itertools
import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import Exchange, conversations, each

from agentkit import Agent, tool
from agentkit.errors import ConfigurationError
from agentkit.messages import Assistant, Image, Note, System, Text, ToolCall, ToolMessage, User
from agentkit.models import jsontext, open_model
from agentkit.models.catalog import ModelRow
from agentkit.models.dialects.chat import Chat, check
from agentkit.models.request import Request, Settings
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.tools import Tool
from agentkit.transcript import Transcript

STRIP = ModelRow(name="m")
ALWAYS = ModelRow(name="m", thinking="on", reasoning="always")
TURN = ModelRow(name="m", thinking="on", reasoning="turn")


def weather(city: str) -> str:
    """Forecast for a city."""
    return city


def clock() -> str:
    """Tell the time."""
    return "noon"


WEATHER, CLOCK = Tool(weather), Tool(clock)


def encode(*entries, row=STRIP, stream=False, **fields):
    """The body of a first request with these entries."""
    request = Request(Transcript(entries), **fields)
    return json.loads(Chat().encoder(row).encode(request, stream=stream))


def messages(*entries, row=STRIP, **fields):
    return encode(*entries, row=row, **fields)["messages"]


def calls(*ids, text="", **fields):
    return Assistant(text, tool_calls=tuple(ToolCall(id, "weather", '{"city":"Rome"}') for id in ids), **fields)


def answer(id, text=None):
    return ToolMessage(id, "weather", text or f"answer to {id}")


def roles(*entries, **fields):
    """The messages in short: the first letter of the role and the call that is answered."""
    return [one["role"][0] + one.get("tool_call_id", "") for one in messages(*entries, **fields)]


def entry(message):
    """A recorded message of a request as an entry of a transcript."""
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n\n".join(part["text"] for part in content)
    if message["role"] == "assistant":
        asked = [
            (one["id"], one["function"]["name"], one["function"]["arguments"])
            for one in message.get("tool_calls") or ()
        ]
        return Assistant(content, message.get("reasoning_content"), tuple(ToolCall(*one) for one in asked))
    if message["role"] == "tool":
        return ToolMessage(message["tool_call_id"], "", content)
    return System(content) if message["role"] == "system" else User(content)


def essence(message):
    """What a message says, apart from freedoms that the endpoint grants: null for "", no `index`, part lists."""
    said = {
        "role": message["role"],
        "content": entry(message).content if message["role"] == "user" else entry(message).text,
    }
    if message.get("tool_calls"):
        said["calls"] = [
            (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"] or "{}"))
            for one in message["tool_calls"]
        ]
    return said | {key: message[key] for key in ("tool_call_id", "reasoning_content") if message.get(key)}


@dataclass(frozen=True)
class Step:
    """A recorded reply with calls, and the request that follows it."""

    first: Exchange
    second: Exchange

    @property
    def name(self):
        return self.second.name


def steps():
    return [Step(*pair) for chain in conversations() for pair in itertools.pairwise(chain)]


@each(steps)
def test_the_request_after_a_recorded_reply_is_the_recorded_one(recording):
    decoder = Chat().decoder(ALWAYS, deltas=False)
    decoder.feed(recording.first.body)
    before, after = (one.request["messages"] for one in (recording.first, recording.second))
    transcript = Transcript(entry(one) for one in before)
    encoder = Chat().encoder(ALWAYS)
    request = Request(transcript)
    first = encoder.encode(request, stream=False)
    transcript.append(decoder.finish())
    for _, run in itertools.groupby(after[len(before) + 1 :], key=lambda one: one["role"]):
        for message in reversed(list(run)):  # as if the last call had finished first
            transcript.append(entry(message))
    second = encoder.encode(request, stream=False)
    assert second.startswith(first.removesuffix(b"]}"))
    sent = json.loads(second)["messages"]
    assert [essence(one) for one in sent if one["role"] == "tool"] == [
        essence(one) for one in after if one["role"] == "tool"
    ]
    assert [one["role"] for one in sent] == [one["role"] for one in after]
    for mine, theirs in zip(sent, after, strict=True):
        mine, theirs = essence(mine), essence(theirs)
        if "reasoning_content" not in theirs:  # a client may leave out what was not thought in this turn
            mine.pop("reasoning_content", None)
        assert mine == theirs


class TestMessages:
    def test_each_kind_has_its_form(self):
        assert messages(
            System("be brief"),
            User("hello", name="ada"),
            calls("a", text="let me look"),
            answer("a"),
            Assistant("sunny"),
            User("no", by="review"),
            instructions="you are kind",
        ) == [
            {"role": "system", "content": "you are kind"},
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hello", "name": "ada"},
            {
                "role": "assistant",
                "content": "let me look",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "answer to a"},
            {"role": "assistant", "content": "sunny"},
            {"role": "user", "content": "no"},
        ]

    def test_parts_of_a_user_message_keep_their_order(self):
        content = (Text("what is this?"), Image("https://x/y.png"), Image("data:image/png;base64,AA==", "low"))
        assert messages(User(content)) == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is this?"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                ],
            }
        ]

    def test_an_answer_without_words_is_an_empty_text_and_has_no_list_of_calls(self):
        assert messages(User("x"), Assistant("")) == [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": ""},
        ]
        assert messages(User("x"), calls("a"), answer("a"))[1]["content"] == ""

    def test_notes_are_never_sent(self):
        assert roles(Note("run"), User("x"), Note("verdict", {"secret": 1}), Assistant("y"), Note("z")) == ["u", "a"]

    def test_texts_go_out_as_utf8_and_lone_surrogates_as_lost_characters(self):
        body = (
            Chat()
            .encoder(STRIP)
            .encode(Request(Transcript([User("Füße 😀 \ud83d!")]), instructions="\udc00"), stream=False)
        )
        assert "Füße 😀 \ufffd!".encode() in body
        assert json.loads(body)["messages"][0]["content"] == "\ufffd"

    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ('{"a": 1}', '{"a": 1}'),
            (' {"a": "ü"}\n', ' {"a": "ü"}\n'),
            ("", "{}"),
            ("null", "{}"),
            ("[1]", "{}"),
            ('"{}"', "{}"),
            ('{"a": ', "{}"),
            ('{"a":1}{"b":2}', "{}"),
            ('{"a": NaN}', "{}"),
            ('{"a": "\ud83d"}', "{}"),
            ('{"a": "\\ud83d"}', "{}"),
            ("{" * 1000, "{}"),
        ],
    )
    def test_only_arguments_that_are_one_object_are_replayed(self, written, sent):
        said = Assistant(tool_calls=(ToolCall("a", "weather", written),))
        assert messages(User("x"), said, answer("a"))[1]["tool_calls"][0]["function"]["arguments"] == sent

    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ('{"a": 1,}', '{"a": 1}'),
            ("{'a': True}", '{"a": true}'),
            ('{"a": {"b": "x"}', '{"a": {"b": "x"}}'),
            ('```json\n{"a": 1}\n```', '{"a": 1}'),
            ('"{\\"a\\": 1}"', '{"a": 1}'),
            ("", "{}"),
            ('{"a":1}{"b":2}', "{}"),
            ('{"a": "x', "{}"),
        ],
    )
    def test_arguments_that_were_mended_go_back_as_they_ran_unless_the_reply_was_cut(self, written, sent):
        for reason, expected in (("tool_calls", sent), ("stop", sent), ("length", "{}"), (None, "{}")):
            said = Assistant(tool_calls=(ToolCall("a", "weather", written),), finish_reason=reason)
            function = messages(User("x"), said, answer("a"))[1]["tool_calls"][0]["function"]
            assert json.loads(function["arguments"]) == json.loads(expected)

    def test_what_a_tool_ran_with_is_what_the_endpoint_reads_of_it(self):
        ran = []

        @tool
        def weather(city: str, days: int) -> str:
            """Tell the weather."""
            ran.append((city, days))
            return "sunny"

        def brain(turn):
            if any(message.role == "tool" for message in turn.messages):
                return Plan(content="Sunny.")
            return Plan(calls=(Call("weather", '{"city": "Rome", "days": 2,}'),))

        simulator = Simulator(brain=brain)
        model = open_model("deepseek:deepseek-flash", api_key="k", transport=simulator.transport())
        assert Agent(model, tools=[weather]).run("Weather in Rome?").text == "Sunny."
        (call,) = simulator.log[1].body["messages"][1]["tool_calls"]
        assert ran == [("Rome", 2)]
        assert json.loads(call["function"]["arguments"]) == {"city": "Rome", "days": 2}


class TestAnswers:
    def test_they_follow_in_the_order_of_the_calls(self):
        assert roles(User("x"), calls("a", "b", "c"), answer("c"), answer("a"), answer("b")) == [
            "u",
            "a",
            "ta",
            "tb",
            "tc",
        ]

    def test_what_was_said_before_they_were_all_there_comes_after_them(self):
        said = (User("x"), calls("a", "b"), answer("b"), User("hurry"), System("now"), answer("a"), Assistant("done"))
        assert roles(*said) == ["u", "a", "ta", "tb", "u", "s", "a"]

    def test_strange_double_and_late_ones_are_left_out(self):
        said = (
            answer("z"),
            User("x"),
            calls("a"),
            answer("a", "first"),
            answer("a", "again"),
            answer("y"),
            Assistant("ok"),
        )
        assert roles(*said, answer("a")) == ["u", "a", "ta", "a"]
        assert messages(*said)[2]["content"] == "first"

    def test_a_call_that_was_never_answered_is_said_to_be_interrupted(self):
        sent = messages(User("x"), calls("a", "b"), answer("b"), Assistant("never mind"))
        assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool", "assistant"]
        assert "never answered" in sent[2]["content"]
        assert sent[3]["content"] == "answer to b"

    def test_an_open_call_is_only_said_to_be_interrupted_until_it_is_answered(self):
        transcript = Transcript([User("x"), calls("a", "b"), answer("b"), User("hurry")])
        request, encoder = Request(transcript), Chat().encoder(STRIP)
        for _ in range(2):
            sent = json.loads(encoder.encode(request, stream=False))["messages"]
            assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool", "user"]
            assert "never answered" in sent[2]["content"]
        transcript.append(answer("a"))
        sent = json.loads(encoder.encode(request, stream=False))["messages"]
        assert [one["content"] for one in sent[2:]] == ["answer to a", "answer to b", "hurry"]

    def test_two_calls_of_one_id_are_sent_as_one(self):
        assert roles(User("x"), calls("a", "b", "a"), answer("a"), answer("b")) == ["u", "a", "ta", "tb"]
        sent = messages(User("x"), calls("a", "b", "a"), answer("a"), answer("b"))
        assert [one["id"] for one in sent[1]["tool_calls"]] == ["a", "b"]

    @given(st.permutations(["a", "b", "c", "d"]))
    def test_the_order_of_completion_does_not_change_the_bytes(self, order):
        def body(ids):
            transcript = Transcript([User("x"), calls("a", "b", "c", "d"), *map(answer, ids)])
            return Chat().encoder(STRIP).encode(Request(transcript), stream=False)

        assert body(order) == body("abcd")


class TestReasoning:
    SAID = (
        User("one"),
        calls("a", reasoning="thought 1"),
        answer("a"),
        Assistant("x", reasoning=None),
        User("two"),
        calls("b", reasoning=""),
        answer("b"),
        User("are you sure?", by="review"),
        Assistant("y", reasoning="thought 4"),
    )

    def sent(self, row, thinking=None, said=SAID):
        sent = messages(*said, row=row, settings=Settings(thinking=thinking))
        return [one.get("reasoning_content") for one in sent if one["role"] == "assistant"]

    def test_strip_sends_none(self):
        assert self.sent(STRIP) == [None] * 4

    def test_always_sends_all_of_it_and_an_empty_text_where_there_was_none(self):
        assert self.sent(ALWAYS) == ["thought 1", "", "", "thought 4"]

    def test_without_thinking_nothing_is_made_up(self):
        assert self.sent(ALWAYS, thinking=False) == ["thought 1", None, None, "thought 4"]

    def test_turn_sends_what_came_after_the_last_word_of_the_real_user(self):
        assert self.sent(TURN) == [None, None, "", "thought 4"]
        assert self.sent(TURN, said=self.SAID[:4]) == ["thought 1", ""]
        assert self.sent(TURN, said=(*self.SAID, User("three"))) == [None] * 4

    @pytest.mark.parametrize("row", [STRIP, ALWAYS, TURN])
    def test_a_growing_run_sends_what_a_new_one_would(self, row):
        transcript, encoder = Transcript(), Chat().encoder(row)
        for one in (*self.SAID, User("three"), calls("c", reasoning="5"), User("four"), answer("c"), User("five")):
            transcript.append(one)
            grown = encoder.encode(Request(transcript), stream=False)
            assert grown == Chat().encoder(row).encode(Request(Transcript(transcript)), stream=False)

    def test_turn_encodes_anew_only_from_where_it_differs(self, monkeypatch):
        written = []
        write = jsontext.write
        monkeypatch.setattr(jsontext, "write", lambda value: written.append(value) or write(value))
        old = [User("one"), *(Assistant(str(at)) for at in range(50))]
        transcript, encoder = (
            Transcript([*old, User("two"), calls("a", reasoning="t"), answer("a")]),
            Chat().encoder(TURN),
        )
        request = Request(transcript)
        encoder.encode(request, stream=False)
        transcript.append(User("three"))
        written.clear()
        encoder.encode(request, stream=False)
        assert [one["role"] for one in written] == ["assistant", "tool", "user"]

    def test_thinking_switched_off_in_between_starts_anew(self):
        transcript, encoder = Transcript(self.SAID), Chat().encoder(ALWAYS)
        encoder.encode(Request(transcript), stream=False)
        quiet = Request(transcript, settings=Settings(thinking=False))
        assert encoder.encode(quiet, stream=False) == Chat().encoder(ALWAYS).encode(quiet, stream=False)


class TestGrowth:
    def test_a_message_is_encoded_once_and_the_beginning_stays(self, monkeypatch):
        written = []
        write = jsontext.write
        monkeypatch.setattr(jsontext, "write", lambda value: written.append(value) or write(value))
        transcript, encoder = Transcript([User("x")]), Chat().encoder(ALWAYS)
        request = Request(transcript, instructions="be kind", tools=(Tool(weather), Tool(clock)))
        before = encoder.encode(request, stream=True)
        for round in range(20):
            transcript.append(calls(f"a{round}", f"b{round}", reasoning="hm"))
            transcript.append(answer(f"b{round}"))
            transcript.append(answer(f"a{round}"))
            written.clear()
            body = encoder.encode(request, stream=True)
            assert len(written) == 3
            assert body.startswith(before[: before.index(b'],"tools"')])
            assert body == Chat().encoder(ALWAYS).encode(request, stream=True)
            before = body

    def test_another_transcript_or_other_instructions_start_anew(self):
        encoder = Chat().encoder(STRIP)
        one, two = Transcript([User("one")]), Transcript([User("two")])
        for request in (Request(one), Request(two), Request(two, instructions="x"), Request(one, instructions="y")):
            assert encoder.encode(request, stream=False) == Chat().encoder(STRIP).encode(request, stream=False)

    def test_other_tools_and_settings_change_only_the_tail(self):
        encoder, transcript = Chat().encoder(STRIP), Transcript([User("x")])
        encoder.encode(Request(transcript), stream=False)
        for fields in ({"tools": (WEATHER,)}, {"tools": (CLOCK, WEATHER)}, {"settings": Settings(seed=1)}, {}):
            body = json.loads(encoder.encode(Request(transcript, **fields), stream=False))
            assert body == encode(User("x"), **fields)


class TestFields:
    def test_a_plain_request_says_no_more_than_it_must(self):
        assert encode(User("x")) == {"model": "m", "messages": [{"role": "user", "content": "x"}]}

    def test_stream_options_come_with_stream_and_only_then(self):
        body = encode(User("x"), stream=True)
        assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
        extra = Settings(extra_body={"stream": False})
        assert "stream_options" not in encode(User("x"), stream=True, settings=extra)

    def test_tools_are_sent_as_they_define_themselves(self):
        body = encode(User("x"), tools=(WEATHER, CLOCK))
        assert body["tools"] == [WEATHER.definition(), CLOCK.definition()]
        assert "tool_choice" not in body

    @pytest.mark.parametrize("choice", ["auto", "none", "required"])
    def test_tool_choice_is_a_word(self, choice):
        settings = Settings(tool_choice=choice, parallel_tool_calls=False)
        body = encode(User("x"), tools=(WEATHER,), settings=settings)
        assert (body["tool_choice"], body["parallel_tool_calls"]) == (choice, False)
        assert encode(User("x"), settings=settings).keys() == {"model", "messages"}

    def test_tool_choice_is_a_tool(self):
        body = encode(User("x"), tools=(WEATHER,), settings=Settings(tool_choice="weather"))
        assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}

    def test_each_setting_has_its_field(self):
        plain = {
            "max_tokens": 7,
            "temperature": 0.0,
            "top_p": 0.5,
            "frequency_penalty": 1.0,
            "presence_penalty": -1.0,
            "reasoning_effort": "low",
            "response_format": {"type": "json_object"},
            "logprobs": True,
            "top_logprobs": 3,
            "seed": 0,
            "user_id": "u",
        }
        body = encode(User("x"), settings=Settings(**plain))
        assert {key: body[key] for key in plain} == plain
        assert body.keys() == {"model", "messages", *plain}

    @pytest.mark.parametrize(("thinking", "kind"), [(True, "enabled"), (False, "disabled")])
    def test_thinking_is_an_object(self, thinking, kind):
        assert encode(User("x"), settings=Settings(thinking=thinking))["thinking"] == {"type": kind}

    @pytest.mark.parametrize(("stop", "sent"), [("END", "END"), (("a", "b"), ["a", "b"]), ([], None), ("", None)])
    def test_stop_is_a_text_or_a_list(self, stop, sent):
        assert encode(User("x"), settings=Settings(stop=stop)).get("stop") == sent

    def test_extra_fields_come_last_and_win(self):
        extra = {"seed": 2, "top_k": 5, "model": "other", "tools": []}
        body = (
            Chat()
            .encoder(STRIP)
            .encode(
                Request(Transcript([User("x")]), tools=(WEATHER,), settings=Settings(seed=1, extra_body=extra)),
                stream=False,
            )
        )
        pairs = json.loads(body, object_pairs_hook=list)
        assert pairs == [
            ("model", "other"),
            ("messages", [[("role", "user"), ("content", "x")]]),
            ("seed", 2),
            ("top_k", 5),
            ("tools", []),
        ]

    def test_what_json_cannot_carry_is_an_error_before_sending(self):
        with pytest.raises(ConfigurationError, match="JSON"):
            encode(User("x"), settings=Settings(extra_body={"x": object()}))


class TestCheck:
    def check(self, row=STRIP, **fields):
        return check(Request(Transcript([User("x")]), **fields), row)

    def test_nothing_wrong_is_nothing(self):
        self.check(tools=(WEATHER,), settings=Settings(tool_choice="weather"))
        self.check(ModelRow(name="m", max_tools=1), tools=(WEATHER,))
        self.check(ModelRow(name="m", tools=False))

    def test_too_many_tools_are_counted(self):
        with pytest.raises(ConfigurationError, match=r"2 tools .*`m`.* 1 .*several agents"):
            self.check(ModelRow(name="m", max_tools=1), tools=(WEATHER, CLOCK))

    def test_a_model_without_function_calling_takes_no_tools(self):
        with pytest.raises(ConfigurationError, match="no function calling"):
            self.check(ModelRow(name="m", tools=False), tools=(WEATHER,))

    @pytest.mark.parametrize("tools", [(), (WEATHER,)])
    def test_a_choice_must_name_a_tool(self, tools):
        with pytest.raises(ConfigurationError, match="`clok`"):
            self.check(tools=tools, settings=Settings(tool_choice="clok"))

    def test_messages_are_no_extra(self):
        with pytest.raises(ConfigurationError, match="history="):
            self.check(settings=Settings(extra_body={"messages": []}))
