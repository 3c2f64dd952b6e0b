"""An error that an endpoint answers with, and the bodies it comes in (WIRE section 8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping


class Refusal(Exception):
    """The request is refused: a status, the text, the two words that go with it, and the values in the text."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | int = "invalid_request_error",
        **values: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.values: Mapping[str, object] = values


ErrorBody = Callable[[Refusal], object]
"""Gives the JSON that a refusal comes in."""


def deepseek_body(refusal: Refusal) -> object:
    """`{"error": {message, type, param, code}}`, keys in the recorded order."""
    return {"error": {"message": refusal.message, "type": refusal.type, "param": None, "code": refusal.code}}


def openai_body(refusal: Refusal) -> object:
    """OpenAI's: as DeepSeek's, with a `code` that is null unless there is one of its own."""
    code = None if refusal.code == "invalid_request_error" else refusal.code
    return {"error": {"message": refusal.message, "type": refusal.type, "param": None, "code": code}}


def numbered_body(refusal: Refusal) -> object:
    """vLLM's and SGLang's: the status as `code`."""
    return {"error": {"message": refusal.message, "type": "BadRequestError", "param": None, "code": refusal.status}}


def llamacpp_body(refusal: Refusal) -> object:
    """llama.cpp's: an integer `code`, no `param`, and the sizes where the context is too small (recorded)."""
    error: dict[str, object] = {"code": refusal.status, "message": refusal.message, "type": refusal.type}
    if refusal.type == "exceed_context_size_error":
        error |= {"n_prompt_tokens": refusal.values["prompt"], "n_ctx": refusal.values["context"]}
    return {"error": error}


def openrouter_body(refusal: Refusal) -> object:
    """OpenRouter's: the upstream body as text in `metadata` (WIRE section 8); 401s are its own."""
    if refusal.status == 401:
        return {"error": {"message": refusal.message, "code": 401}}
    raw = encoded(deepseek_body(refusal)).decode()
    metadata = {"raw": raw, "provider_name": "Simulator"}
    return {"error": {"message": "Provider returned error", "code": refusal.status, "metadata": metadata}}


def encoded(body: object) -> bytes:
    """A body as bytes, without white space, text that is no Unicode replaced."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def unauthorized(key: str | None) -> Refusal:
    """DeepSeek's 401 for a wrong key (its end is shown, as recorded), or for a missing one."""
    if key:
        message = f"Authentication Fails, Your api key: ****{key[-4:]} is invalid"
    else:
        message = "Authentication Fails (auth header format should be Bearer sk-...)"
    return Refusal(message, status=401, type="authentication_error")
