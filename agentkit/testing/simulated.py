"""A simulator with what tests want of it: models that speak to it, and scripts that are checked at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Turn
from agentkit.simulator.brains.said import Said
from agentkit.simulator.brains.script import Line, Script

if TYPE_CHECKING:
    from agentkit.models.fallback import Fallback
    from agentkit.models.http import HttpModel


class Sim(Simulator):
    """A simulator in this process, made with the options of `Simulator`; the fixture `sim` is one."""

    _scripts: tuple[Script, ...] = ()

    def model(self, name: str = "deepseek-flash", **options: Any) -> HttpModel | Fallback:
        """A model that is served by this simulator, for `Agent(model)`.

        Args:
            name: The name of a model of the simulator, or `"provider:model"` for one of the catalog, whose requests
                then come here and need no key.
            options: As `agentkit.models.open_model` has them, `retries=0` for instance.

        Raises:
            ConfigurationError: There is no such model, or an option cannot be.
        """
        from agentkit.models.open import open_model

        known: dict[str, Any] = {"api_key": "sim", "transport": self.transport(), **options}
        return open_model(name if ":" in name else f"sim:{name}", **known)

    def script(self, *replies: Line | Said | Callable[[Turn], object]) -> Script:
        """Answer from a script from now on; at the end of the test it must be used up.

        Args:
            replies: As `agentkit.simulator.brains.script.Script` takes them.

        Raises:
            ConfigurationError: One is no reply.
        """
        made = Script(*replies)
        self.brain = made
        self._scripts = (*self._scripts, made)
        return made

    def check(self) -> None:
        """Check that every script was used up, and that each request was as expected.

        Raises:
            AssertionError: It was not so.
        """
        for script in self._scripts:
            script.assert_complete()
