"""For tests of programs that use agentkit: models that say what they are told to, and a pytest plugin.

- `Script` and `Function` are models in the place of an endpoint; `call` makes their tool calls.
- `capture` collects the requests that models send, as bytes.
- `record` writes runs to a file, and `replay` runs them again from it.
- `Sim` is a simulator in this process. The pytest plugin (`agentkit.testing.plugin`) has the fixtures `sim` and
  `sim_server`, and a guard that keeps tests from the network.

What is listed here is loaded when it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.testing.captured import Captured as Captured
    from agentkit.testing.captured import capture as capture
    from agentkit.testing.guard import NetworkForbidden as NetworkForbidden
    from agentkit.testing.models import Function as Function
    from agentkit.testing.models import Script as Script
    from agentkit.testing.models import call as call
    from agentkit.testing.recording import record as record
    from agentkit.testing.replaying import Replay as Replay
    from agentkit.testing.replaying import ReplayMismatch as ReplayMismatch
    from agentkit.testing.replaying import replay as replay
    from agentkit.testing.simulated import Sim as Sim
    from agentkit.testing.simulated import SimServer as SimServer

__all__ = [
    "Captured",
    "Function",
    "NetworkForbidden",
    "Replay",
    "ReplayMismatch",
    "Script",
    "Sim",
    "SimServer",
    "call",
    "capture",
    "record",
    "replay",
]

_PLACES = {
    "Captured": "captured",
    "Function": "models",
    "NetworkForbidden": "guard",
    "Replay": "replaying",
    "ReplayMismatch": "replaying",
    "Script": "models",
    "Sim": "simulated",
    "SimServer": "simulated",
    "call": "models",
    "capture": "captured",
    "record": "recording",
    "replay": "replaying",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
