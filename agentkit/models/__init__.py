"""Models: what is asked, how it is written on the wire, and what is known of each endpoint."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.models.fallback import Fallback as Fallback
    from agentkit.models.open import open_model as open_model

__all__ = ["Fallback", "open_model"]


def __getattr__(name: str) -> Any:
    if name == "open_model":  # looked up late: `open` stands above the other modules of this package
        from agentkit.models.open import open_model

        return open_model
    if name == "Fallback":
        from agentkit.models.fallback import Fallback

        return Fallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
