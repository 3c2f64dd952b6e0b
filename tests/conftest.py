"""What holds for every test: no key of the developer reaches one, and what one adds is forgotten."""

import os
import signal

import pytest
from hypothesis import settings

from agentkit.models import catalog

for name in list(os.environ):
    if name.startswith("AGENTKIT_") or name.endswith("_API_KEY") or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ.pop("OPENAI_BASE_URL", None)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background job ignores Ctrl-C, its children too
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Let `-n auto` mean two workers more than there are cores: a third of the time, tests wait for a time limit."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def forgotten_catalogs():
    """Forget the catalogs of the user's own that a test has added, since they are the process's."""
    known = list(catalog._added)
    yield
    if catalog._added != known:
        catalog._added[:] = known
        catalog.providers.cache_clear()
