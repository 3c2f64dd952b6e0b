"""Model endpoints that run on this machine, behaving as the real ones do.

A `Simulator` reads a request as the endpoint of its `Profile` would, refuses what that endpoint refuses, in the
same words, and answers in the same shapes, streamed or not. What it answers comes from a *brain*: by default a
rule-based stand-in for a model, which is no language model and does not pretend to be one.

It runs in-process (`Simulator.transport()`, for httpx) and as a server (`agentkit.simulator.server`).
It is an independent reading of the wire format: it shares no code with agentkit's own client.
"""

from __future__ import annotations

from agentkit.simulator.core import Simulator
from agentkit.simulator.profiles import Profile
from agentkit.simulator.reply import Reply

__all__ = ["Profile", "Reply", "Simulator"]
