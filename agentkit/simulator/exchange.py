"""One request on its way through the simulator, and what may stand in its way.

The way is `read → check → brain → plan → render` (`agentkit.simulator.core`). A `Layer` stands before it: it sees the
exchange first and the reply last. It may answer in the endpoint's stead, give the exchange another `profile` or a
`revise` before it hands it on, and change the steps of the reply that comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentkit.simulator.brains import Turn
    from agentkit.simulator.checks import Case
    from agentkit.simulator.plan import Plan, Written
    from agentkit.simulator.profiles import Profile
    from agentkit.simulator.refusal import Refusal
    from agentkit.simulator.reply import Reply
    from agentkit.simulator.request import Chat


@dataclass(slots=True)
class Exchange:
    """One request and what has become of it so far. What a stage finds out is `None` before that stage.

    Attributes:
        method: The HTTP method.
        path: The path without its query.
        headers: The headers as the way in gave them.
        body: The whole body.
        number: How many requests this simulator had before.
        now: Seconds since the epoch.
        seal: 64 bytes that follow from the seed, the request's number and its body: the same program gets the same
            ids, and two programs that say different things get different ones.
        profile: The endpoint that answers; a layer may put another in its place for this exchange.
        revise: Called with what the brain says, before stop sequences and budgets end it; gives what is said instead.
        refuse: What the endpoint answers in any case, once the key was accepted; the request is not looked at.
        key: The API key, once it was accepted.
        chat: The request as read.
        case: The request under the checks.
        turn: What the brain was asked.
        plan: What is said, revised.
        written: What of it was put on the wire.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    number: int
    now: float
    seal: bytes
    profile: Profile
    revise: Callable[[Plan], Plan] | None = None
    refuse: Refusal | None = None
    key: str = ""
    chat: Chat | None = None
    case: Case | None = None
    turn: Turn | None = None
    plan: Plan | None = None
    written: Written | None = None

    @property
    def host(self) -> str:
        """The host that was asked, without its port; empty where the way in does not tell."""
        return self.headers.get("host", "").partition(":")[0]


Handler = Callable[[Exchange], "Reply"]
"""Answers an exchange."""

Layer = Callable[[Exchange, Handler], "Reply"]
"""Stands before a handler: gives its reply, or the handler's, perhaps changed."""
