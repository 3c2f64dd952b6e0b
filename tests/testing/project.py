"""Projects of their own for the plugin: pytest in a process of its own, as a user starts it."""

from importlib.metadata import entry_points

import pytest

INSTALLED = bool(entry_points(group="pytest11", name="agentkit"))
"""Whether pytest loads the plugin by itself here."""

_OURS = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")


def run(pytester, *options, plugin=True):
    """Run the project's tests in a process of their own, its warnings as errors; gives the outcome.

    With `plugin`, the plugin is loaded by name where it is not installed.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in _OURS:
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONWARNINGS", "error::ResourceWarning")
        loaded = ["-p", "agentkit.testing.plugin"] if plugin and not INSTALLED else []
        return pytester.runpytest_subprocess(*loaded, "-W", "error", "-p", "no:cacheprovider", *options, timeout=100)


def ini(pytester, *lines, guard=None):
    """Write the project's configuration: strict, with the guard on or off or not spoken of."""
    lines = ["addopts = --strict-markers --strict-config", *lines]
    if guard is not None:
        lines.append(f"agentkit_forbid_network = {str(guard).lower()}")
    pytester.makeini("\n".join(["[pytest]", *lines]))


def report(outcome):
    """What pytest printed."""
    return outcome.stdout.str() + outcome.stderr.str()
