"""JSON output: the word that the endpoint insists on, and the empty answer that it gives at times."""

import pytest
from wire import completion, serving

from agentkit import Agent, Settings, User
from agentkit.errors import Rejected
from agentkit.events import Retried
from agentkit.messages import Assistant, System
from agentkit.models import open_model
from agentkit.models.jsonmode import WORDS, with_the_word
from agentkit.models.request import Request
from agentkit.simulator import Simulator
from agentkit.transcript import Transcript

JSON = Settings(response_format={"type": "json_object"})


def asked(*said, instructions=None, settings=JSON):
    return with_the_word(Request(Transcript(said), instructions=instructions, settings=settings)).instructions


def test_the_word_is_added_where_nobody_says_it():
    assert asked(User("Colours?")) == WORDS
    assert asked(User("Colours?"), instructions="Be brief.") == f"Be brief.\n\n{WORDS}"


@pytest.mark.parametrize("said", [(User("As jSon."),), (System("JSON!"), User("Colours?"))])
def test_nothing_is_added_where_somebody_says_it(said):
    assert asked(*said) is None
    assert asked(User("Colours?"), instructions="Speak JSON.") == "Speak JSON."


@pytest.mark.parametrize("settings", [Settings(), Settings(response_format={"type": "text"})])
def test_nothing_is_added_to_other_requests(settings):
    assert asked(User("Colours?"), settings=settings) is None


def test_what_was_added_stays_whatever_is_said_later():
    assert asked(User("Colours?"), Assistant("{}"), User("JSON, please")) == WORDS


def test_an_endpoint_that_insists_on_the_word_answers():
    model = open_model("deepseek:deepseek-flash", api_key="k", transport=Simulator().transport())
    assert Agent(model, settings=JSON).run("Which colours has the flag of France?").finish_reason == "stop"
    unhelped = Settings(extra_body={"response_format": {"type": "json_object"}})
    with pytest.raises(Rejected, match="json"):
        Agent(model, settings=unhelped).run("Which colours has the flag of France?")


def test_an_empty_answer_is_asked_for_once_more_without_json_output():
    def handler(exchange):
        exchange.reply(completion("" if len(server.exchanges) == 1 else '{"colour": "red"}'))

    events = []
    with serving(handler) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k")
        assert Agent(model, settings=JSON).run("Colour?", on_event=events.append).output == '{"colour": "red"}'
        first, second = (exchange.json for exchange in server.exchanges)
    assert first.pop("response_format") == {"type": "json_object"}
    assert first == second, "without JSON output, and all else the same"
    assert first["messages"][0] == {"role": "system", "content": WORDS}
    assert len([one for one in events if isinstance(one, Retried)]) == 1
