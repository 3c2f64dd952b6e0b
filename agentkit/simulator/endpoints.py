"""The ready profiles: endpoints as they were documented, reported or recorded at a date (WIRE sections 1, 2 and 9).

`deepseek` is DeepSeek today and `deepseek-v4`, `deepseek-v3.2`, `deepseek-v3.2-exp` and `deepseek-r1` are earlier days
of it, which gateways and self-hosted servers still behave like. A name may carry switches: `openai-compatible+vllm`
is a compatible server with vLLM's habits, `lkeap+lenient` is LKEAP under the other reading of its page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.simulator.profiles import Cache, Profile, Served, Words
from agentkit.simulator.refusal import llamacpp_body, numbered_body, openai_body, openrouter_body
from agentkit.simulator.wire import Wire


def _fingerprint(name: str, date: str) -> str:
    """32 hexadecimal digits, as DeepSeek's fingerprints since late August 2026 (WIRE section 4), but our own."""
    return hashlib.md5(f"agentkit simulator {name} {date}".encode(), usedforsecurity=False).hexdigest()


# ── DeepSeek, from today back ────────────────────────────────────────────────────────────────────────────────────────

_V41_DETAILS: Mapping[str, Any] = MappingProxyType(
    {
        "context_window": 1_048_576,
        "max_output_tokens": 393_216,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "effort": {"supported_levels": ["low", "high", "max"], "default_level": "high"},
    }
)
_FLASH = Served("deepseek-flash")
_V4 = Served("deepseek-v4-flash", listed=True)
_BACK = "Missing `reasoning_content` field in the assistant message at message index {number}. For more information, "
_GONE = (
    "The reasoning_content is an intermediate result for display purposes only and will not be included in the "
    "context for inference. Please remove the reasoning_content from your message to reduce network traffic."
)

DEEPSEEK = Profile(
    name="deepseek",
    date="2026-11-21",
    about="DeepSeek today: V4.1-Flash, thinking unless told otherwise, images",
    models=MappingProxyType(
        {
            "deepseek-flash": replace(_FLASH, listed=True, details=_V41_DETAILS),
            "deepseek-v4-pro": replace(_FLASH, listed=True, details=_V41_DETAILS),
            "deepseek-v4-flash": _FLASH,
            "deepseek-v4-flash-vision-exp": _FLASH,
            "deepseek-chat": replace(_FLASH, thinking=False),
            "deepseek-reasoner": _FLASH,
        }
    ),
    parts=("text", "image_url", "file"),
    fingerprint=_fingerprint("deepseek", "2026-11-21"),
)

DEEPSEEK_V4 = Profile(
    name="deepseek-v4",
    date="2026-08-20",
    about="DeepSeek in August 2026, as recorded: V4, no images",
    models=MappingProxyType(
        {
            "deepseek-v4-flash": _V4,
            "deepseek-v4-pro": replace(_V4, model="deepseek-v4-pro"),
            "deepseek-chat": replace(_V4, listed=False, thinking=False),
            "deepseek-reasoner": replace(_V4, listed=False),
        }
    ),
    fingerprint=_fingerprint("deepseek-v4", "2026-08-20"),
)

# What a `deepseek-chat` and a `deepseek-reasoner` were in 2025. The reasoner ignored temperature, top_p and the
# penalties, and refused logprobs (the documents of V3.2-Exp; later ones repeat it).
_CHAT_2025 = Served(
    "deepseek-chat",
    thinking=False,
    toggle=False,
    listed=True,
    context=131_072,
    max_tokens=8_192,
    default_output=(4_096, 4_096, 4_096),
    reasoning_back="refused",
)
_REASONER_2025 = replace(
    _CHAT_2025,
    model="deepseek-reasoner",
    thinking=True,
    max_tokens=65_536,
    default_output=(32_768, 32_768, 32_768),
    logprobs="refused",
    fim=False,
)
_WORDS_2025 = {
    "model": Words("Model Not Exist"),
    "reasoning": Words(_GONE),
    "choice": Words("deepseek-reasoner does not support this tool_choice"),
}
_WIRE_2025 = Wire(call_ids="letters")

DEEPSEEK_V32 = Profile(
    name="deepseek-v3.2",
    date="2025-12-15",
    about="DeepSeek in December 2025: V3.2, the first that thinks with tools",
    models=MappingProxyType(
        {
            "deepseek-chat": replace(_CHAT_2025, toggle=True, reasoning_back="current_turn", logprobs="plain"),
            "deepseek-reasoner": replace(_REASONER_2025, toggle=True, reasoning_back="current_turn"),
        }
    ),
    roles=("system", "user", "assistant", "tool"),
    efforts=MappingProxyType({}),
    max_name=64,
    words=MappingProxyType(
        _WORDS_2025
        | {"reasoning": Words(_BACK + "please refer to https://api-docs.deepseek.com/guides/thinking_mode#tool-calls")}
    ),
    cache=Cache(64, 64),
    wire=_WIRE_2025,
    fingerprint="fp_eaab8d114b_prod0820_fp8_kvcache",
)

DEEPSEEK_V32_EXP = replace(
    DEEPSEEK_V32,
    name="deepseek-v3.2-exp",
    date="2025-10-15",
    about="DeepSeek in October 2025: V3.2-Exp; a reasoner with tools is served by the chat model",
    models=MappingProxyType(
        {
            "deepseek-chat": _CHAT_2025,
            "deepseek-reasoner": replace(_REASONER_2025, tools="elsewhere", tools_model="deepseek-chat"),
        }
    ),
    thinking_field=False,
    words=MappingProxyType(_WORDS_2025),
    # The documents' own sample adds up the content of every delta without reasoning, the first one's, too. No recording
    # of that time says otherwise; those of December have null there.
    wire=replace(_WIRE_2025, opening_thinking=""),
)

DEEPSEEK_R1 = replace(
    DEEPSEEK_V32_EXP,
    name="deepseek-r1",
    date="2025-01-20",
    about="DeepSeek in January 2025: V3 and R1, which has neither tools nor JSON output",
    models=MappingProxyType(
        {
            "deepseek-chat": replace(_CHAT_2025, context=65_536),
            "deepseek-reasoner": replace(
                _REASONER_2025,
                context=65_536,
                max_tokens=8_192,
                default_output=(4_096, 4_096, 4_096),
                reasoning_budget=32_768,
                tools="refused",
                json="refused",
                alternating=True,
            ),
        }
    ),
    fingerprint="fp_5417b77867_prod0225",
)

# ── Others who serve DeepSeek's models ───────────────────────────────────────────────────────────────────────────────

# LKEAP calls these unsupported and does not say whether they are refused. Refusing is the reading under which a
# program that passes here passes there; `lkeap+lenient` is the other one.
_LKEAP_R1 = Served(
    "deepseek-r1",
    toggle=False,
    context=48_000,
    max_input=16_000,
    max_tokens=32_000,
    default_output=(4_096, 32_000, 32_000),
    tools="refused",
    json="refused",
    logprobs="refused",
    refuses=("presence_penalty", "frequency_penalty"),
    prefix=False,
    fim=False,
    reasoning_back="ignored",
    temperature=0.6,
    top_p=0.6,
)

LKEAP = Profile(
    name="lkeap",
    date="2025-11-25",
    about="Tencent Cloud LKEAP: R1 and V3.1-Terminus without tools, V3 with them",
    models=MappingProxyType(
        {
            "deepseek-r1": _LKEAP_R1,
            "deepseek-r1-0528": replace(_LKEAP_R1, model="deepseek-r1-0528"),
            "deepseek-v3": replace(
                _LKEAP_R1,
                model="hunyuan-turbos-latest",  # as its only printed reply says
                thinking=False,
                tools="yes",
                choices=("none", "auto", "named"),
            ),
            "deepseek-v3.1-terminus": replace(
                _LKEAP_R1,
                model="deepseek-v3.1-terminus",
                thinking=False,
                context=128_000,
                max_input=96_000,
                json="yes",
                refuses=(),
            ),
        }
    ),
    any_case=True,
    prefixes=("/v1",),
    beta="",
    listing=False,
    balance=False,
    hosts=("api.lkeap.tencentcloud.com",),
    roles=("system", "user", "assistant", "tool"),
    thinking_field=False,
    efforts=MappingProxyType({}),
    skips=frozenset({"reasoning back"}),
    words=MappingProxyType(
        {
            "model": Words("model {model} does not exist", type="runtime_error"),
            "tools": Words("function calling is not supported by {model}", type="runtime_error"),
            "json": Words("response_format is not supported by {model}", type="runtime_error"),
            "parameter": Words("{name} is not supported by {model}", type="runtime_error"),
            "choices": Words("tool_choice {choice} is not supported by {model}", type="runtime_error"),
            "overflow": Words("input content too long", type="runtime_error", code="20059"),
            "balance": Words("not enough quota", 402, "runtime_error", "20031"),
            "concurrency": Words("concurrency exceeded", 429, "runtime_error", "20034"),
            "rate": Words("concurrency exceeded", 429, "runtime_error", "20034"),
        }
    ),
    cache=None,
    wire=Wire(
        ids="hex",
        call_ids="lkeap",
        sorted=True,
        usage="apart",
        usage_nulls=False,
        cache_fields=False,
        cached_tokens=False,
        reasoning_tokens=False,
        logprobs=False,
        compact=True,
        narrated=True,
        note="This text was generated by a machine and is nobody's opinion.",
    ),
    fingerprint="",
    headers=False,
)

_EVOLINK = Served("deepseek-chat", thinking=False, toggle=False, reasoning_back="ignored", fim=False, prefix=False)

EVOLINK = Profile(
    name="evolink",
    date="2026-02-09",
    about="EvoLink: refuses what the reasoner does not support",
    models=MappingProxyType(
        {
            "deepseek-chat": replace(_EVOLINK, choices=("none", "auto", "required")),
            "deepseek-reasoner": replace(
                _EVOLINK,
                model="deepseek-reasoner",
                thinking=True,
                toggle=True,
                refuses=("temperature", "top_p", "tools", "tool_choice", "response_format"),
            ),
        }
    ),
    prefixes=("/v1",),
    beta="",
    listing=False,
    balance=False,
    hosts=("direct.evolink.ai", "api.evolink.ai"),
    roles=("system", "user", "assistant", "tool"),
    efforts=MappingProxyType({}),
    skips=frozenset({"reasoning back"}),
    words=MappingProxyType({"model": Words("model {model} is not available")}),
    errors=openai_body,
    cache=Cache(64, 64),
    wire=_WIRE_2025,
    fingerprint="fp_eaab8d114b_prod0820_fp8_kvcache",
    headers=False,
)

# ── Compatible servers ───────────────────────────────────────────────────────────────────────────────────────────────

_ANY = Served(
    "",
    thinking=False,
    context=131_072,
    max_tokens=131_072,
    default_output=(131_072, 131_072, 131_072),
    forced_choice=True,
    reasoning_back="ignored",
    prefix=False,
    fim=False,
)

COMPATIBLE = Profile(
    name="openai-compatible",
    date="2026-11-21",
    about="Some server that speaks OpenAI's format and takes any model name",
    models=MappingProxyType({"deepseek-v3.2": replace(_ANY, model="deepseek-v3.2", listed=True)}),
    unknown=_ANY,
    owner="simulator",
    prefixes=("/v1",),
    beta="",
    balance=False,
    hosts=("localhost",),
    roles=("developer", "system", "user", "assistant", "tool", "function"),
    parts=("text", "image_url", "input_audio", "file"),
    thinking_field=False,
    efforts=MappingProxyType({}),
    skips=frozenset({"json word", "json schema", "message order", "prefix", "reasoning back", "duplicate tools"}),
    words=MappingProxyType(
        {
            "key": Words("Incorrect API key provided: ****{end}.", 401, code="invalid_api_key"),
            "no key": Words("You didn't provide an API key.", 401, code="invalid_api_key"),
        }
    ),
    errors=openai_body,
    cache=None,
    wire=Wire(
        ids="chatcmpl",
        call_ids="openai",
        both_texts=False,
        call_index=False,
        content_beside_calls=None,
        last_delta=None,
        usage="asked",
        cache_fields=False,
        cached_tokens=False,
        reasoning_tokens=False,
    ),
    fingerprint=None,
    headers=False,
)


def _thinks(profile: Profile) -> Profile:
    """The same with a model that thinks."""
    assert profile.unknown is not None
    models = {name: replace(served, thinking=True) for name, served in profile.models.items()}
    return replace(profile, models=MappingProxyType(models), unknown=replace(profile.unknown, thinking=True))


def _vllm(profile: Profile) -> Profile:
    """vLLM: reasoning under `reasoning`, its own call ids, a leading chunk with the role, integer error codes."""
    wire = replace(profile.wire, call_ids="vllm", reasoning="reasoning", usage_nulls=False)
    return replace(_thinks(profile), wire=wire, errors=numbered_body)


def _sglang(profile: Profile) -> Profile:
    """SGLang: id, type and name in each fragment of a call, and `stop` with calls where its parser does not match."""
    wire = replace(profile.wire, repeated=True, call_index=True, finish_with_calls="stop", opening=None)
    return replace(_thinks(profile), wire=wire, errors=numbered_body)


def _llamacpp(profile: Profile) -> Profile:
    """llama.cpp, as recorded: any model name, `timings`, arguments from the opener on, empty last delta."""
    wire = replace(
        profile.wire,
        opening=None,
        opener="first",
        content_beside_calls="",
        cached_tokens=True,
        usage_nulls=False,
        logprobs=False,
        timings=True,
    )
    served = replace(_ANY, model="/models/model.gguf", json="ignored", thinking=True, context=40_960)
    words = {
        "key": Words("Invalid API Key", 401, "authentication_error"),
        "no key": Words("Invalid API Key", 401, "authentication_error"),
        "overflow": Words(
            "request ({prompt} tokens) exceeds the available context size ({context} tokens), try increasing it",
            type="exceed_context_size_error",
        ),
        "tools": Words("tools param requires --jinja flag", 500, "server_error"),
        "grammar": Words("Cannot use both json_schema and grammar", 500, "server_error"),
        "field": Words(
            "Field '{field}': [json.exception.type_error.302] type must be {expected}, but is {found}",
        ),
    }
    return replace(
        profile,
        models=MappingProxyType({"/models/model.gguf": replace(served, listed=True)}),
        unknown=served,
        owner="llamacpp",
        skips=profile.skips | {"max tokens", "completion overflow"},
        words=MappingProxyType({**profile.words, **words}),
        errors=llamacpp_body,
        cache=Cache(1, 1),
        wire=wire,
        fingerprint="b10499-simulator",
    )


def _ollama(profile: Profile) -> Profile:
    """Ollama's `/v1`: each call in one chunk with all its arguments, reasoning under `reasoning`."""
    wire = replace(
        profile.wire, call_ids="short", reasoning="reasoning", opener="whole", call_index=True, content_beside_calls=""
    )
    return replace(_thinks(profile), owner="library", wire=wire, fingerprint="fp_ollama")


def _openrouter(profile: Profile) -> Profile:
    """OpenRouter: its own keys in choices and usage, dated model ids, null content where the budget is gone."""
    wire = replace(profile.wire, ids="gen", reasoning="reasoning", routed=True, cached_tokens=True)
    thinking = replace(_ANY, thinking=True)
    models = {
        "deepseek/deepseek-v3.2": replace(_ANY, model="deepseek/deepseek-v3.2-20251201", listed=True),
        "deepseek/deepseek-r1-0528": replace(thinking, model="deepseek/deepseek-r1-0528", listed=True),
    }
    words = {"key": Words("User not found.", 401), "no key": Words("No auth credentials found", 401)}
    return replace(
        profile,
        models=MappingProxyType(models),
        prefixes=("/api/v1",),
        hosts=("openrouter.ai",),
        words=MappingProxyType({**profile.words, **words}),
        errors=openrouter_body,
        cache=Cache(8, 8),
        wire=wire,
    )


def _think_tags(profile: Profile) -> Profile:
    """Reasoning in the text, between `<think>` and `</think>`."""
    return replace(_thinks(profile), wire=replace(profile.wire, reasoning=""))


def _no_jinja(profile: Profile) -> Profile:
    """llama.cpp without `--jinja`, which refuses tools."""
    assert profile.unknown is not None
    models = {name: replace(served, tools="refused") for name, served in profile.models.items()}
    return replace(profile, models=MappingProxyType(models), unknown=replace(profile.unknown, tools="refused"))


def _lenient(profile: Profile) -> Profile:
    """What the models do not support is ignored, not refused."""
    models = {
        name: replace(
            served,
            tools=_ignored(served.tools),
            json=_ignored(served.json),
            logprobs="yes" if served.logprobs == "yes" else "ignored",
            refuses=(),
            choices=("none", "auto", "required", "named"),
            forced_choice=True,
        )
        for name, served in profile.models.items()
    }
    return replace(profile, models=MappingProxyType(models))


def _ignored(stance: Any) -> Any:
    return "ignored" if stance == "refused" else stance


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            DEEPSEEK,
            DEEPSEEK_V4,
            DEEPSEEK_V32,
            DEEPSEEK_V32_EXP,
            DEEPSEEK_R1,
            LKEAP,
            EVOLINK,
            COMPATIBLE,
        )
    }
)
"""The ready profiles, by name."""

_SERVERS: Mapping[str, Callable[[Profile], Profile]] = MappingProxyType(
    {"vllm": _vllm, "sglang": _sglang, "llama.cpp": _llamacpp, "ollama": _ollama, "openrouter": _openrouter}
)
SWITCHES: Mapping[str, Callable[[Profile], Profile]] = MappingProxyType(
    {**_SERVERS, "think-tags": _think_tags, "no-jinja": _no_jinja, "lenient": _lenient}
)
"""What may follow a profile's name after a `+`. The servers among them may stand alone: `vllm` is
`openai-compatible+vllm`."""


def profile_named(profile: str | Profile) -> Profile:
    """The profile of that name, its switches applied from left to right; a `Profile` is handed back as it is.

    Raises:
        ConfigurationError: There is no profile, or no switch, of that name, or the switch does not go with that
            profile; the text lists what there is.
    """
    if isinstance(profile, Profile):
        return profile
    base, *switches = profile.split("+")
    if base in _SERVERS:
        base, switches = COMPATIBLE.name, [base, *switches]
    if base not in PROFILES:
        known = ", ".join(f"`{name}`" for name in (*PROFILES, *_SERVERS))
        raise ConfigurationError(f"there is no simulator profile `{base}`; there are: {known}", code="bad-simulator")
    found = PROFILES[base]
    for switch in switches:
        if switch not in SWITCHES:
            known = ", ".join(f"`+{name}`" for name in SWITCHES)
            raise ConfigurationError(
                f"simulator profiles have no switch `+{switch}`; there are: {known}", code="bad-simulator"
            )
        if switch != "lenient" and found.unknown is None:
            raise ConfigurationError(
                f"the switch `+{switch}` goes with `{COMPATIBLE.name}` and not with `{base}`", code="bad-simulator"
            )
        found = replace(SWITCHES[switch](found), name=profile)
    return found
