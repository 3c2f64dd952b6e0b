"""The catalog: what it knows, that it is strict, and that names, prices and users' own rows are found."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import ConfigurationError
from agentkit.models import catalog
from agentkit.models.catalog import find, parse, price_at, providers
from agentkit.models.open import open_model
from agentkit.models.request import Settings
from agentkit.models.rows import ModelRow, Price, Range

EVERY = [(provider, row) for provider in providers().values() for row in provider.models]
each_row = pytest.mark.parametrize(("provider", "row"), EVERY, ids=[f"{p.name}:{r.name}" for p, r in EVERY])
SETTINGS = {one.name for one in fields(Settings)} | {"stream_options"}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def own(tmp_path):
    """Adds a catalog of the user's own."""

    def add(text):
        path = tmp_path / f"own{len(catalog._added)}.toml"
        path.write_text(text)
        catalog.add(path)

    return add


@each_row
def test_a_row_names_only_settings_that_there_are(provider, row):
    named = {*row.takes, *row.drops, *row.ignores, *row.ignores_thinking, *row.ranges, *row.defaults}
    assert named <= SETTINGS


@each_row
def test_what_a_row_says_fits_together(provider, row):
    assert {"auto", "none"} <= set(row.choices)
    assert row.roles == "any" or not row.tools
    assert row.output <= row.context or not row.context
    assert row.input <= row.context
    assert row.output_default <= row.output or not row.output
    if row.instead:
        assert any(one.name == row.instead for one in provider.models)
    if row.retired:
        assert row.instead


@each_row
def test_every_row_is_found_by_its_name_in_any_case(provider, row):
    for name in (row.name, row.name.lower(), row.name.upper()):
        assert find(f"{provider.name}:{name}") == (provider, row)


@pytest.mark.parametrize(
    ("name", "provider", "sent"),
    [
        ("deepseek-flash", "deepseek", "deepseek-flash"),
        ("lkeap:deepseek-r1-0528", "lkeap", "DeepSeek-R1-0528"),
        ("deepseek-v3.1-terminus", "lkeap", "Deepseek-V3.1-Terminus"),
        ("ollama:deepseek-r1:14b", "ollama", "deepseek-r1:14b"),
        ("openai:deepseek-ai/DeepSeek-R1", "openai", "deepseek-ai/DeepSeek-R1"),
        ("OpenAI:Some-Model", "openai", "Some-Model"),
        ("tokenhub:deepseek-v4-pro-202606", "tokenhub", "deepseek-v4-pro-202606"),
    ],
)
def test_a_name_is_sent_as_the_row_spells_it_or_as_it_was_asked_for(name, provider, sent):
    found, row = find(name)
    assert (found.name, row.sent or row.name) == (provider, sent)


@pytest.mark.parametrize("provider", ["openai", "vllm", "sglang", "llamacpp", "ollama", "lmstudio", "openrouter"])
@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "tools"),
    [
        ("deepseek-r1:14b", "strip", "always", False),
        ("deepseek-ai/DeepSeek-V3.2-Exp", "strip", "off", True),
        ("deepseek/deepseek-v3.2-20251201", "turn", "off", True),
        ("DeepSeek-V3.1-Terminus", "strip", "off", True),
        ("deepseek-ai/DeepSeek-V3-0324", "strip", "never", True),
        ("deepseek-v4-flash", "always", "on", True),
        ("qwen3:8b", "strip", "off", True),
    ],
)
def test_a_compatible_server_knows_deepseeks_models_by_any_name(provider, model, reasoning, thinking, tools):
    row = find(f"{provider}:{model}")[1]
    assert (row.reasoning, row.thinking, row.tools, row.tags) == (reasoning, thinking, tools, True)


@pytest.mark.parametrize("name", ["deepseek:deepseek-flush", "nobody:x", "no-such-model", "openai:", "sim:", ""])
def test_a_name_that_is_nobodys_is_an_error_that_helps(name):
    with pytest.raises(ConfigurationError, match=r"there is no model .*`agentkit models`"):
        find(name)


def test_a_retired_name_asks_for_its_successor_at_home_and_for_itself_elsewhere():
    model = open_model("deepseek:deepseek-chat", api_key="k")
    assert (model.row.sent, model.row.body) == ("deepseek-flash", {"thinking": {"type": "disabled"}})
    model = open_model("deepseek:deepseek-reasoner", api_key="k")
    assert (model.row.sent, model.row.body) == ("deepseek-flash", {"thinking": {"type": "enabled"}})
    assert open_model("deepseek:deepseek-chat", api_key="k", base_url="http://127.0.0.1:1").row.sent == ""


def test_an_endpoint_without_an_address_wants_one():
    with pytest.raises(ConfigurationError, match=r"`deepseek-r1:deepseek-reasoner` has no address.*`base_url=`"):
        open_model("deepseek-r1:deepseek-reasoner", api_key="k")


@pytest.mark.parametrize(
    ("name", "seconds"), [("deepseek:deepseek-flash", 600), ("deepseek-v3.2-exp:deepseek-chat", 1800)]
)
def test_the_wait_for_the_first_byte_is_the_rows(name, seconds):
    assert open_model(name, api_key="k", base_url="http://127.0.0.1:1").patience.first_byte == seconds


# Monday 2 November 2026 is a working day; peak hours are 01:00 to 04:00 and 06:00 to 10:00 UTC.
@pytest.mark.parametrize(
    ("name", "moment", "currency", "price"),
    [
        ("deepseek:deepseek-flash", "2026-11-02T00:59:59", None, (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-flash", "2026-11-02T01:00:00", None, (0.006, 0.30, 1.20)),
        ("deepseek:deepseek-flash", "2026-11-02T04:00:00", None, (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-flash", "2026-11-02T09:59:59", "CNY", (0.04, 2, 8)),
        ("deepseek:deepseek-flash", "2026-11-07T02:00:00", "CNY", (0.02, 1, 4)),
        ("deepseek:deepseek-flash", "2026-09-09T23:59:59", None, None),
        ("deepseek:deepseek-flash", "2026-11-02T01:00:00", "EUR", None),
        ("deepseek:deepseek-v4-pro", "2026-08-17T02:00:00", "USD", (0.044, 1.32, 3.96)),
        ("deepseek:deepseek-v4-pro", "2026-08-17T05:00:00", "CNY", (0.15, 4.5, 13.5)),
        ("deepseek:deepseek-v4-pro", "2026-08-17T02:00:00", "CNY", None),
        ("deepseek:deepseek-v4-pro", "2026-11-02T05:00:00", "USD", (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-v4-flash", "2026-08-17T05:00:00", "USD", None),
        ("deepseek:deepseek-chat", "2025-03-01T00:00:00", "USD", (0.07, 0.27, 1.10)),
        ("deepseek:deepseek-chat", "2025-11-01T00:00:00", "USD", None),
        ("deepseek:deepseek-chat", "2025-11-01T00:00:00", "CNY", (0.2, 2, 3)),
        ("lkeap-cn:deepseek-r1-0528", "2026-11-02T00:00:00", "CNY", (4, 4, 16)),
        ("evolink:deepseek-v4-pro", "2026-11-02T00:00:00", None, None),
    ],
)
def test_a_price_is_that_of_the_date_and_the_hour_in_its_currency_or_unknown(name, moment, currency, price):
    found = price_at(find(name)[1], at(moment), currency)
    assert (found and (found.hit, found.miss, found.output)) == price


def test_every_price_says_where_it_is_from():
    prices = [price for _, row in EVERY for price in row.prices]
    assert len(prices) > 20
    assert all(price.source and price.currency in ("USD", "CNY") for price in prices)


def test_a_price_wants_a_moment_with_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        price_at(ModelRow(name="m"), datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_only_one_price_of_a_currency_holds_at_a_moment(moment):
    row = find("deepseek:deepseek-v4-pro")[1]
    for currency in ("USD", "CNY"):
        found = price_at(row, moment, currency)
        without = replace(row, prices=tuple(one for one in row.prices if one != found))
        assert (
            found is None
            or price_at(without, moment, currency) is None
            or found.since > min(one.since for one in row.prices)
        )


@pytest.mark.parametrize(
    ("text", "inside", "outside", "words"),
    [
        ("[0, 2]", [0, 1, 2], [-1, 2.1], "0 to 2"),
        ("(0, 1]", [0.1, 1], [0, 1.1], "above 0 to 1"),
        ("[0, 1)", [0, 0.99], [1], "0 to below 1"),
        ("[1, ∞)", [1, 10**12], [0], "1 or more"),
        ("[-2, 2]", [-2, 2], [float("nan")], "-2 to 2"),
    ],
)
def test_a_range_is_written_as_in_mathematics(text, inside, outside, words):
    wanted = Range.parse(text)
    assert all(one in wanted for one in inside)
    assert not any(one in wanted for one in outside)
    assert str(wanted) == words


WRONG = [
    ("x =", "is no TOML"),
    ("a = 1", "must be a table of a provider"),
    ("[a]\nadress = 'x'", "there is no key `adress`"),
    ("[a]\nname = 'x'", "there is no key `name`"),
    ("[a.all]\ncontxt = 1", "there is no key `contxt`"),
    ("[a]\nall = 1", "`all` must be a table"),
    ("[a]\nmodels = 1", "`models` must be a list"),
    ("[[a.models]]\ntitle = 'x'", "`name` is missing"),
    ("[[a.models]]\nname = 'x'\ncontext = '1'", "`context` is '1', but must be a int"),
    ("[[a.models]]\nname = 'x'\ntools = 1", "`tools` is 1, but must be a bool"),
    ("[[a.models]]\nname = 'x'\nthinking = 'yes'", "`thinking` is 'yes', but must be one of `never`"),
    ("[[a.models]]\nname = 'x'\nchoices = ['auto', 'must']", r"`choices`\[1\] is 'must'"),
    ("[[a.models]]\nname = 'x'\ntakes = 'stop'", "`takes` is 'stop', but must be a list"),
    ("[[a.models]]\nname = 'x'\nranges = {top_p = '0-1'}", r"`ranges`\.top_p: `0-1` is no range"),
    ("[[a.models]]\nname = 'x'\nretired = 'soon'", "must be a date"),
    ("[[a.models]]\nname = 'x'\nretired = 2026-01-01T00:00:00", "must be a date, or a time with its offset"),
    (
        "[[a.models]]\nname = 'x'\nprices = [{since = 2026-01-01, currency = 'USD', hit = 1, miss = 1}]",
        "`output` is mis",
    ),
    ("[[a.models]]\nname = 'x'\npriced = {like = 'y', since = 2026-01-01}", "priced like `y`, but there is no such"),
    ("[a]\nlike = 'b'", "like `b`, but there is no such provider"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_file_that_is_not_to_the_letter_is_an_error_that_names_the_place(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse(text, "own.toml")


def test_what_a_row_says_wins_over_its_provider_and_the_host_wins_over_what_it_borrows():
    found = parse(
        """
        [a.all]
        context = 10
        vision = false
        [[a.models]]
        name = "x"
        context = 20
        [b]
        like = "a"
        open = true
        [b.all]
        vision = true
        """,
        "own.toml",
    )
    (x,), (borrowed,) = found["a"].models, found["b"].models
    assert (x.context, x.vision) == (20, False)
    assert (borrowed.context, borrowed.vision) == (20, True)
    assert (found["b"].any.context, found["b"].any.vision) == (0, True)


def test_users_add_models_and_providers_of_their_own(own):
    own(
        """
        [mine]
        base_url = "http://127.0.0.1:9/v1"
        [[mine.models]]
        name = "Tiny"
        context = 4096
        prices = [{ since = 2026-01-01, currency = "CNY", hit = 1, miss = 2, output = 3 }]
        [deepseek]
        base_url = "http://127.0.0.1:8"
        [[deepseek.models]]
        name = "deepseek-flash"
        context = 99
        """
    )
    provider, row = find("tiny")
    assert (provider.name, provider.title, row.name, row.context) == ("mine", "mine", "Tiny", 4096)
    assert price_at(row, at("2026-11-02")) == Price(since=at("2026-01-01"), currency="CNY", hit=1, miss=2, output=3)
    provider, row = find("deepseek:deepseek-flash")
    assert (provider.base_url, provider.key, row.context) == ("http://127.0.0.1:8", "DEEPSEEK_API_KEY", 99)
    assert find("deepseek:deepseek-v4-pro")[1].context == 1_048_576


def test_a_file_with_a_mistake_is_not_added(own):
    with pytest.raises(ConfigurationError, match="there is no key `colour`"):
        own("[mine]\ncolour = 'red'")
    with pytest.raises(ConfigurationError, match="there is no model"):
        find("mine:x")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        catalog.add("/no/such/file.toml")


def test_the_environment_names_catalogs_too(own, tmp_path, monkeypatch):
    path = tmp_path / "env.toml"
    path.write_text("[mine]\nbase_url = 'http://127.0.0.1:9/v1'\n[[mine.models]]\nname = 'x'\n")
    monkeypatch.setenv("AGENTKIT_CATALOG", str(path))
    assert open_model("mine:x").name == "mine:x"
    assert open_model("x").base_url == "http://127.0.0.1:9/v1"
