"""The catalog against the documents, model by model: WIRE section 2 said once more, by hand, and compared."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentkit.models import open_model
from agentkit.models.catalog import find, price_at, providers

ALL_CHOICES = ("auto", "none", "required", "named")
JSON = ("json_object",)

# Context window, longest prompt, longest answer, its default and the default while thinking (0: not known or none of
# its own); tools, values of tool_choice, formats; prefix, FIM, images; thinking, which reasoning goes back. By WIRE 2.2
# to 2.4.
FACTS = {
    "deepseek:deepseek-flash": (
        (1_048_576, 0, 393_216, 8_192, 65_536),
        (True, ALL_CHOICES, JSON),
        (True, True, True),
        ("on", "always"),
    ),
    "deepseek:deepseek-v4-pro": (
        (1_048_576, 0, 393_216, 8_192, 65_536),
        (True, ALL_CHOICES, JSON),
        (True, True, True),
        ("on", "always"),
    ),
    "deepseek-v4:deepseek-v4-flash": (
        (1_048_576, 0, 393_216, 8_192, 65_536),
        (True, ALL_CHOICES, JSON),
        (True, True, False),
        ("on", "always"),
    ),
    "deepseek-v4:deepseek-chat": (
        (1_048_576, 0, 393_216, 8_192, 65_536),
        (True, ALL_CHOICES, JSON),
        (True, True, False),
        ("never", "always"),
    ),
    "deepseek-v3.2:deepseek-chat": (
        (131_072, 0, 8_192, 4_096, 0),
        (True, ALL_CHOICES, JSON),
        (True, True, False),
        ("off", "turn"),
    ),
    "deepseek-v3.2:deepseek-reasoner": (
        (131_072, 0, 65_536, 32_768, 32_768),
        (True, ALL_CHOICES, JSON),
        (True, False, False),
        ("always", "turn"),
    ),
    "deepseek-v3.2-exp:deepseek-chat": (
        (131_072, 0, 8_192, 4_096, 0),
        (True, ALL_CHOICES, JSON),
        (True, True, False),
        ("never", "strip"),
    ),
    "deepseek-v3.2-exp:deepseek-reasoner": (
        (131_072, 0, 65_536, 32_768, 32_768),
        (False, ALL_CHOICES, JSON),
        (True, False, False),
        ("always", "strip"),
    ),
    "deepseek-r1:deepseek-chat": (
        (65_536, 0, 8_192, 4_096, 0),
        (True, ALL_CHOICES, JSON),
        (True, True, False),
        ("never", "strip"),
    ),
    "deepseek-r1:deepseek-reasoner": (
        (65_536, 0, 8_192, 4_096, 4_096),
        (False, ALL_CHOICES, ()),
        (True, False, False),
        ("always", "strip"),
    ),
    "lkeap:deepseek-r1": (
        (48_000, 16_000, 32_000, 0, 0),
        (False, ALL_CHOICES, ()),
        (False, False, False),
        ("always", "strip"),
    ),
    "lkeap:DeepSeek-R1-0528": (
        (48_000, 16_000, 32_000, 0, 0),
        (False, ALL_CHOICES, ()),
        (False, False, False),
        ("always", "strip"),
    ),
    "lkeap:deepseek-v3": (
        (48_000, 16_000, 32_000, 0, 0),
        (True, ("auto", "none", "named"), ()),
        (False, False, False),
        ("never", "strip"),
    ),
    "lkeap:Deepseek-V3.1-Terminus": (
        (128_000, 96_000, 32_000, 0, 0),
        (False, ALL_CHOICES, JSON),
        (False, False, False),
        ("never", "strip"),
    ),
    "lkeap-cn:deepseek-v3.2": (
        (128_000, 96_000, 32_000, 4_096, 0),
        (True, ("auto", "none", "named"), ()),
        (False, False, False),
        ("never", "strip"),
    ),
    "lkeap-cn:deepseek-v3-0324": (
        (128_000, 96_000, 16_000, 4_096, 0),
        (True, ("auto", "none", "named"), ()),
        (False, False, False),
        ("never", "strip"),
    ),
    "evolink:deepseek-reasoner": (
        (128_000, 0, 0, 0, 0),
        (False, ("auto", "none", "required"), ()),
        (False, False, False),
        ("on", "strip"),
    ),
    "evolink:deepseek-chat": (
        (128_000, 0, 0, 0, 0),
        (True, ("auto", "none", "required"), JSON),
        (False, False, False),
        ("never", "strip"),
    ),
    "evolink:deepseek-v4-flash": (
        (1_000_000, 0, 384_000, 0, 0),
        (True, ("auto", "none", "required"), JSON),
        (False,) * 3,
        ("on", "always"),
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_model_is_what_the_documents_say(name):
    row = find(name)[1]
    assert (
        (row.context, row.input, row.output, row.output_default, row.output_default_thinking),
        (row.tools, row.choices, row.formats),
        (row.prefix, row.fim, row.vision),
        (row.thinking, row.reasoning),
    ) == FACTS[name]


@pytest.mark.parametrize(
    ("provider", "addresses", "beta", "key"),
    [
        ("deepseek", ("https://api.deepseek.com",), "/beta", "DEEPSEEK_API_KEY"),
        ("lkeap", ("https://api.lkeap.tencentcloud.com/v1",), "", "LKEAP_API_KEY"),
        ("lkeap-cn", ("https://api.lkeap.cloud.tencent.com/v1",), "", "LKEAP_API_KEY"),
        ("evolink", ("https://direct.evolink.ai/v1", "https://api.evolink.ai/v1"), "", "EVOLINK_API_KEY"),
        ("openrouter", ("https://openrouter.ai/api/v1",), "", "OPENROUTER_API_KEY"),
    ],
)
def test_a_provider_is_where_the_documents_say(provider, addresses, beta, key):
    found = providers()[provider]
    assert ((found.base_url, *found.also_at), found.beta, found.key) == (addresses, beta, key)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("lkeap:deepseek-r1", {"temperature", "top_p", "max_tokens"}),
        ("lkeap:DeepSeek-R1-0528", {"temperature", "top_p", "max_tokens"}),
        ("lkeap:deepseek-v3", {"temperature", "top_p", "max_tokens"}),
        (
            "lkeap:Deepseek-V3.1-Terminus",
            {"temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty"},
        ),
    ],
)
def test_lkeap_is_sent_what_its_page_lists_as_supported(name, taken):
    row = find(name)[1]
    assert set(row.takes) == taken
    assert row.defaults == {"temperature": 0.6, "top_p": 0.6}
    assert (1.0 in row.ranges["top_p"] if "top_p" in row.ranges else True) == ("Terminus" not in name)


DAY = "2026-11-02T12:00"
"""A Monday, off peak."""


@pytest.mark.parametrize(
    ("name", "moment", "currency", "price"),
    [
        ("deepseek-r1:deepseek-chat", "2025-02-10T12:00", "USD", (0.07, 0.27, 1.10)),
        ("deepseek-r1:deepseek-reasoner", "2025-02-10T12:00", "USD", (0.14, 0.55, 2.19)),
        ("deepseek-v3.2-exp:deepseek-chat", "2025-10-20T12:00", "CNY", (0.2, 2, 3)),
        ("deepseek-v3.2-exp:deepseek-reasoner", "2025-10-20T12:00", "CNY", (0.2, 2, 3)),
        ("deepseek:deepseek-v4-flash", "2026-07-01T12:00", "USD", (0.0028, 0.14, 0.28)),
        ("deepseek:deepseek-v4-pro", "2026-07-01T12:00", "USD", (0.003625, 0.435, 0.87)),
        ("deepseek:deepseek-v4-flash", "2026-08-17T02:00", "USD", (0.014, 0.44, 1.32)),
        ("deepseek:deepseek-v4-flash", "2026-08-17T12:00", "USD", None),
        ("deepseek:deepseek-v4-pro", "2026-08-17T02:00", "USD", (0.044, 1.32, 3.96)),
        ("deepseek:deepseek-v4-pro", "2026-08-17T12:00", "USD", (0.022, 0.66, 1.98)),
        ("deepseek:deepseek-v4-pro", "2026-08-17T12:00", "CNY", (0.15, 4.5, 13.5)),
        ("deepseek:deepseek-v4-pro", DAY, "USD", (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-flash", DAY, "USD", (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-flash", DAY, "CNY", (0.02, 1, 4)),
        ("deepseek:deepseek-flash", "2026-11-02T02:00", "USD", (0.006, 0.30, 1.20)),
        ("deepseek:deepseek-flash", "2026-11-01T02:00", "USD", (0.003, 0.15, 0.60)),
        ("deepseek:deepseek-coder", DAY, "USD", (0.003, 0.15, 0.60)),
        ("lkeap-cn:deepseek-r1-0528", DAY, "CNY", (4, 4, 16)),
        ("lkeap:deepseek-v3", DAY, None, None),
        ("evolink:deepseek-v4-pro", DAY, None, None),
        ("tokenhub:deepseek-v4-pro", DAY, None, None),
    ],
)
def test_a_price_is_that_of_the_documents_or_unknown(name, moment, currency, price):
    found = price_at(find(name)[1], datetime.fromisoformat(moment).replace(tzinfo=UTC), currency)
    assert (None if found is None else (found.hit, found.miss, found.output)) == price


def test_the_old_names_are_retired_on_the_announced_day_and_the_one_of_2024_without_a_date():
    for name in ("deepseek-chat", "deepseek-reasoner"):
        assert find(f"deepseek:{name}")[1].retired == datetime(2026, 7, 24, 15, 59, tzinfo=UTC)
    coder = find("deepseek:deepseek-coder")[1]
    assert (coder.retired, coder.instead) == (None, "deepseek-flash")
    assert find("lkeap-cn:deepseek-r1")[1].retired == datetime(2025, 11, 11, tzinfo=UTC)


def test_the_coder_of_2024_is_still_asked_for_and_answered_by_its_successor():
    model = open_model("deepseek:deepseek-coder", api_key="k")
    assert (model.row.sent, model.row.body) == ("deepseek-flash", {"thinking": {"type": "disabled"}})
    elsewhere = open_model("deepseek:deepseek-coder", api_key="k", base_url="http://127.0.0.1:1").row
    assert (elsewhere.sent, elsewhere.body) == ("", {})


@pytest.mark.parametrize("provider", ["deepseek", "deepseek-v4"])
def test_how_much_a_model_writes_unasked_depends_on_whether_and_how_hard_it_thinks(provider):
    row = find(f"{provider}:deepseek-v4-pro")[1]
    assert row.writes(thinks=False, effort="max") == 8_192
    assert row.writes(thinks=True) == row.writes(thinks=True, effort="high") == 65_536
    assert row.writes(thinks=True, effort="max") == row.writes(thinks=True, effort="ultra") == 131_072
    assert find("deepseek-v3.2:deepseek-reasoner")[1].writes(thinks=True, effort="max") == 32_768


def test_a_successor_is_sent_no_field_that_its_endpoint_does_not_list():
    row = open_model("lkeap-cn:deepseek-r1", api_key="k").row
    assert (row.sent, row.body) == ("deepseek-r1-0528", {})


def test_the_advised_temperatures_are_deepseeks():
    advised = {0.0: "code", 1.0: "data", 1.3: "conversation", 1.5: "creative"}
    for provider in ("deepseek", "deepseek-v4", "deepseek-v3.2", "deepseek-v3.2-exp", "deepseek-r1"):
        for row in providers()[provider].models:
            kinds = row.temperatures
            assert all(
                any(word in kind for kind, value in kinds.items() if value == at) for at, word in advised.items()
            )
            assert kinds["translation"] == 1.3


@pytest.mark.parametrize("host", ["openai", "vllm", "sglang", "llamacpp", "ollama", "lmstudio", "openrouter"])
@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("deepseek-r1:14b", "R1"),
        ("deepseek-ai/DeepSeek-R1", "R1"),
        ("DeepSeek-R1-Distill-Qwen-7B", "R1"),
        ("deepseek/deepseek-chat-v3.1", "V3.1"),
        ("deepseek-ai/DeepSeek-V3.1-Terminus", "V3.1"),
        ("deepseek-ai/DeepSeek-V3.2-Exp", "V3.2-Exp"),
        ("deepseek-ai/DeepSeek-V3.2-Speciale", "V3.2 Speciale"),
        ("deepseek/deepseek-v3.2-20251201", "V3.2"),
        ("deepseek-v3:671b", "V3"),
        ("deepseek-ai/DeepSeek-V4-Pro", "V4"),
        ("deepseek/deepseek-flash", "V4"),
    ],
)
def test_a_pattern_catches_the_same_model_under_another_name(host, model, title):
    row = find(f"{host}:{model}")[1]
    assert row.title.startswith(title)
    assert row.name == model


@pytest.mark.parametrize("host", ["openai", "vllm", "ollama", "openrouter"])
@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ("deepseek-r1:14b", False),
        ("deepseek-ai/DeepSeek-V3-0324", False),
        ("deepseek-v3.1", False),
        ("deepseek/deepseek-v3.2", False),
        ("deepseek-v3.2-exp", False),
        ("deepseek-v4-pro", False),
        ("deepseek-v4.1-flash", True),
        ("deepseek-flash", True),
        ("some-model", True),
    ],
)
def test_deepseeks_models_before_v41_take_no_images_wherever_they_are_served(host, model, sees):
    assert find(f"{host}:{model}")[1].vision == sees


def test_the_wait_for_a_first_byte_was_half_an_hour_in_2025_and_is_ten_minutes():
    waits = {name: find(name)[1].first_byte for name in FACTS}
    assert {name.partition(":")[0] for name, seconds in waits.items() if seconds == 1_800} == {
        "deepseek-v3.2-exp",
        "deepseek-r1",
    }
    assert set(waits.values()) == {600, 1_800}
