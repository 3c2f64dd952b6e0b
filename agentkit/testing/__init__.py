"""Tests of programs that use agentkit: a pytest plugin, loaded wherever agentkit is installed.

- The fixture `sim` is a simulator in this process (`Sim`), new for each test; `sim_server` is its address over HTTP.
  `@pytest.mark.sim("lkeap", faults=["429@1"])` says what the simulator is made with.
- The option `agentkit_forbid_network = true` of pytest's configuration forbids every test to reach another machine,
  unless it is marked `live`.

Until one of these is used, the plugin loads nothing but agentkit's face.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agentkit.testing.guard import NetworkForbidden
    from agentkit.testing.simulated import Sim

__all__ = ["NetworkForbidden", "Sim"]

_FORBID = "agentkit_forbid_network"


def __getattr__(name: str) -> Any:
    if name == "Sim":
        from agentkit.testing.simulated import Sim

        return Sim
    if name == "NetworkForbidden":
        from agentkit.testing.guard import NetworkForbidden

        return NetworkForbidden
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addini(_FORBID, "Whether tests that are not marked `live` are kept from the network.", "bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and set the guard up where it is asked for."""
    config.addinivalue_line("markers", "live: reaches other machines; `agentkit_forbid_network` does not apply to it")
    config.addinivalue_line("markers", "sim(profile, **options): what the simulator of the fixture `sim` is made with")
    if config.getini(_FORBID):
        from agentkit.testing.guard import Guard

        config.pluginmanager.register(_Watch(Guard()), "agentkit.testing.guard")


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A simulator of its own for this test: rule-based, offline, with a log, faults and scripts.

    At the end of the test its scripts must be used up.
    """
    from agentkit.errors import ConfigurationError
    from agentkit.testing.simulated import Sim

    marker = request.node.get_closest_marker("sim")
    try:
        made = Sim(*marker.args, **marker.kwargs) if marker else Sim()
    except (ConfigurationError, TypeError) as error:
        raise pytest.UsageError(f"`@pytest.mark.sim` of `{request.node.nodeid}`: {error}") from error
    yield made
    made.check()


@pytest.fixture
def sim_server(sim: Sim) -> Iterator[str]:
    """The address of the test's simulator over HTTP, such as `http://127.0.0.1:40123`; needs the extra `sim`."""
    from agentkit.simulator.server import running

    with running(sim) as url:
        yield url


class _Watch:
    """The guard's place among pytest's hooks: it is up in all three phases of a test."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        yield from self._watched(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        yield from self._watched(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        yield from self._watched(item)

    def _watched(self, item: pytest.Item) -> Generator[None]:
        if item.get_closest_marker("live"):
            yield
            return
        with self._guard.up(item.nodeid) as seen:
            yield
        if seen:  # the program swallowed what it was told
            pytest.fail(seen[0], pytrace=False)
