"""An error that an endpoint answers with, and the bodies it comes in (WIRE section 8)."""

from __future__ import annotations

import json


class Refusal(Exception):
    """The request is refused: a status, the text, and the two words that go with it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code

    def body(self) -> bytes:
        """The body, keys in the recorded order."""
        error = {"message": self.message, "type": self.type, "param": None, "code": self.code}
        text = json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def unauthorized(key: str | None) -> Refusal:
    """The 401 for a wrong key (its end is shown, as recorded), or for a missing one."""
    if key:
        message = f"Authentication Fails, Your api key: ****{key[-4:]} is invalid"
    else:
        message = "Authentication Fails (auth header format should be Bearer sk-...)"
    return Refusal(message, status=401, type="authentication_error")
