"""The pytest plugin, loaded wherever agentkit is installed; `-p no:agentkit` keeps it out.

- The fixture `sim` is a simulator in this process (`Sim`), new for each test; `sim_server` serves it over HTTP
  (`SimServer`). `@pytest.mark.sim("lkeap", faults=["429@1"])` says what the simulator is made with.
- The option `agentkit_forbid_network = true` of pytest's configuration keeps every test from other machines, unless it
  is marked `live`.

Until one of these is used, it loads nothing but agentkit's face.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agentkit.testing.simulated import Sim, SimServer

_FORBID = "agentkit_forbid_network"
_SIM = pytest.StashKey["Sim"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addini(_FORBID, "Whether tests that are not marked `live` are kept from the network.", "bool", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and set the guard up where it is asked for."""
    config.addinivalue_line("markers", "sim(profile, **options): what the simulator of the fixture `sim` is made with")
    forbid: bool | None = config.getini(_FORBID)
    if forbid is not None:  # a project that says nothing of it may have a marker `live` of its own
        config.addinivalue_line("markers", f"live: reaches other machines; `{_FORBID}` does not apply to it")
    if forbid:
        config.pluginmanager.register(_Guarding(), "agentkit.testing.guarding")


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Sim:
    """A simulator of its own for this test: offline, rule-based, with a log, faults and scripts.

    `@pytest.mark.sim(…)` hands it the arguments of `agentkit.simulator.Simulator`. When the test has passed, the
    scripts that it gave to `sim.script` must be used up.
    """
    from agentkit.errors import ConfigurationError
    from agentkit.testing.simulated import Sim

    marker = request.node.get_closest_marker("sim")
    try:
        made = Sim(*marker.args, **marker.kwargs) if marker else Sim()
    except (ConfigurationError, TypeError) as error:
        raise _failed(f"`@pytest.mark.sim` of `{request.node.nodeid}`: {error}") from None
    request.node.stash[_SIM] = made
    return made


@pytest.fixture
def sim_server(sim: Sim) -> Iterator[SimServer]:
    """The test's simulator as a server on this machine; needs the extra `sim`, and fails where it is missing."""
    from contextlib import ExitStack

    from agentkit.errors import ConfigurationError
    from agentkit.simulator.server import running
    from agentkit.testing.simulated import SimServer

    with ExitStack() as stack:
        try:
            url = stack.enter_context(running(sim))
        except ConfigurationError as error:
            raise _failed(f"the fixture `sim_server` cannot serve: {error}") from None
        yield SimServer(url, sim)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Check the scripts of a test that passed."""
    yield
    made = item.stash.get(_SIM, None)
    if made is not None:
        try:
            made.check()
        except AssertionError as error:
            raise _failed(str(error)) from None


def _failed(text: str) -> BaseException:
    """The failure of a test that is told in these words alone."""
    return pytest.fail.Exception(text, pytrace=False)


class _Guarding:
    """The guard's place among pytest's hooks: it is up in all three phases of a test."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        yield from _guarded(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        yield from _guarded(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        yield from _guarded(item)


def _guarded(item: pytest.Item) -> Generator[None]:
    if item.get_closest_marker("live"):
        yield
        return
    from agentkit.testing.guard import NetworkForbidden, forbidden

    with forbidden(item.nodeid) as watch:
        try:
            yield
        except Exception as error:
            if watch.refused and not isinstance(error, NetworkForbidden):  # perhaps it failed because of that
                error.add_note(watch.refused[0])
            raise
    if watch.refused:  # the program swallowed what it was told
        raise _failed(watch.refused[0])
