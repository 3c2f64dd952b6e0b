"""How the house is built: what CONTRIBUTING says of the modules, read from their source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*ROOT.glob("agentkit/**/*.py"), *ROOT.glob("tools/**/*.py")])
LONGEST = 60


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_module_imports_upwards() -> None:
    program = "from importlinter.cli import lint_imports_command as command; command(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_no_function_is_longer_than_fits_a_screen() -> None:
    long = [
        f"{name}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST
    ]
    assert not long


def test_only_two_modules_read_the_environment() -> None:
    readers = {name for name, tree in trees() if any(reads_environment(node) for node in ast.walk(tree))}
    assert readers == {"agentkit/home.py", "agentkit/models/open.py"}


def reads_environment(node: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in names
    return isinstance(node, ast.ImportFrom) and node.module == "os" and any(one.name in names for one in node.names)


def test_every_type_in_the_package_is_open_to_type_checkers() -> None:
    assert (ROOT / "agentkit" / "py.typed").exists()
    assert (ROOT / "tools" / "agentkit_tools" / "py.typed").exists()
