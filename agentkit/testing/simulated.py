"""A simulator with what tests want of it: models that speak to it, and scripts that are checked at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentkit.frozen import frozen
from agentkit.models.catalog import find
from agentkit.models.fallback import Fallback
from agentkit.models.http import HttpModel
from agentkit.models.open import open_model
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Turn
from agentkit.simulator.brains.said import Said
from agentkit.simulator.brains.script import Line, Script

if TYPE_CHECKING:
    from agentkit.simulator.log import Log


class Sim(Simulator):
    """A simulator in this process, made with the options of `Simulator`; the fixture `sim` is one."""

    _scripts: tuple[Script, ...] = ()

    def model(self, name: str = "deepseek-flash", **options: Any) -> HttpModel | Fallback:
        """A model whose requests come to this simulator, sync and async; for `Agent(model)`.

        What failed is sent again as it always is, but without a wait, unless the endpoint asks for one (`Retry-After`).

        Args:
            name: A model of the simulator's, or `"provider:model"` for one of the catalog, which then needs no key;
                several with commas between them are a `Fallback`.
            options: As `agentkit.models.open_model` has them, `retries=0` for instance.

        Raises:
            ConfigurationError: There is no such model, or an option cannot be.
        """
        return _opened(name, {"api_key": "sim", "transport": self.transport(), **options})

    def script(self, *replies: Line | Said | Callable[[Turn], object]) -> Script:
        """Answer from a script from now on; `check` wants it to be used up.

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
        """Check that every script was used up, and that each request was as expected; the fixture does.

        Raises:
            AssertionError: It was not so; the text says all of it.
        """
        for script in self._scripts:
            script.assert_complete()


@frozen
class SimServer:
    """A simulator that is served over HTTP on this machine; the fixture `sim_server` is one.

    Attributes:
        url: Its address, such as `http://127.0.0.1:40123`, for any client of an OpenAI-compatible endpoint.
        sim: The simulator behind it.
    """

    url: str
    sim: Sim

    @property
    def log(self) -> Log:
        """The simulator's log of requests."""
        return self.sim.log

    def model(self, name: str = "deepseek-flash", **options: Any) -> HttpModel | Fallback:
        """A model whose requests come to this server, over a real connection; else as `Sim.model`, for one name.

        Raises:
            ConfigurationError: There is no such model, or an option cannot be.
        """
        path = urlsplit(find(_named(name))[0].base_url or "").path
        return _opened(name, {"api_key": "sim", "base_url": self.url + path, **options})


def _named(name: str) -> str:
    return name if ":" in name else f"sim:{name}"


def _opened(name: str, options: dict[str, Any]) -> HttpModel | Fallback:
    """A model that asks again at once."""
    if "," in name:
        made = [_opened(one.strip(), options) for one in name.split(",")]
        return Fallback(made)
    model = open_model(_named(name), **options)
    assert isinstance(model, HttpModel)  # of one name it always is
    model.retries = replace(model.retries, first=0.0)
    return model
