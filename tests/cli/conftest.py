"""Each test of the command line has a home of its own: what runs leave behind stays out of the developer's."""

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home of agentkit"
    monkeypatch.setenv("AGENTKIT_HOME", str(folder))
    return folder
