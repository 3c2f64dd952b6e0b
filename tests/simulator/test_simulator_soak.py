"""The simulator under a load of requests and faults: its memory stays flat, and nothing is left without an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_two_thousand_requests_with_random_faults_leave_memory_flat() -> None:
    """A tenth of `python tests/benchmarks/simulator_soak.py`."""
    command = [sys.executable, str(ROOT / "tests" / "benchmarks" / "simulator_soak.py"), "2000"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "memory flat, plain request in order" in done.stdout
