"""Other people's clients as judges of the simulator: what they share, `agentkit sim` as a process on this machine."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """Starts `agentkit sim` with options, and gives its base URL."""
    processes: list[subprocess.Popen[str]] = []

    def started(*options: str | Path) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "agentkit", "sim", "--port", "0", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ,
            cwd=ROOT,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("export OPENAI_BASE_URL=").strip()
        assert url.startswith("http://127.0.0.1:"), "`agentkit sim` did not start"
        return url

    try:
        yield started
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def deepseek(serve: Callable[..., str]) -> str:
    """The base URL of the simulator of DeepSeek as it is today."""
    return serve("--profile", "deepseek")
