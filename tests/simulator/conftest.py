"""The mark by which tests say which rule of the wire they are about; see `rules_table`."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(name, …): the test holds the simulator to these rules of the wire")
