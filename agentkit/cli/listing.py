"""`agentkit tools` and `agentkit models`: what there is, as a table or as JSON."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from agentkit.cli.exit import DONE
from agentkit.cli.text import clean, one_line

if TYPE_CHECKING:
    from agentkit.models.rows import ModelRow, Provider

_THINKS = {"never": "never", "always": "always", "on": "by default", "off": "if asked"}

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "length ≥ {}",
    "maxLength": "length ≤ {}",
    "minItems": "items ≥ {}",
    "maxItems": "items ≤ {}",
    "pattern": "matches {}",
}


def models(name: str | None = None, *, json: bool) -> int:
    """Write the catalog as a table, or all that is known of one model; the exit code.

    Raises:
        ConfigurationError: There is no such model, or a catalog of the user's own cannot be read.
    """
    from agentkit.models.catalog import providers
    from agentkit.models.open import found, own_catalogs

    own_catalogs()
    if name is not None:
        from agentkit.cli.explain import explained

        provider, row = found(name)
        sections = explained(provider, row, datetime.now(UTC))
        return _json({head: dict(lines) for head, lines in sections}) if json else _sections(sections)
    closed = [one for one in providers().values() if not one.open]
    pairs = [(provider, row) for provider in closed for row in provider.models]
    if json:
        return _json([_entry(provider, row) for provider, row in pairs])
    shown = [
        (
            provider.name,
            row.name,
            f"{row.context:,}" if row.context else "",
            "yes" if row.tools else "no",
            _THINKS[row.thinking],
            "yes" if row.vision else "no",
            provider.key,
            row.instead,
        )
        for provider, row in pairs
    ]
    open_ones = [(one.name, "NAME", "", "", "", "", one.key, "") for one in providers().values() if one.open]
    table(("PROVIDER", "MODEL", "CONTEXT", "TOOLS", "THINKS", "IMAGES", "KEY", "USE INSTEAD"), [*shown, *open_ones])
    return DONE


def _entry(provider: Provider, row: ModelRow) -> dict[str, Any]:
    """A row as JSON has it."""
    return {
        "provider": provider.name,
        "model": row.name,
        "name": f"{provider.name}:{row.name}",
        "title": row.title,
        "context": row.context,
        "tools": row.tools,
        "thinking": row.thinking,
        "images": row.vision,
        "key": provider.key,
        "instead": row.instead,
    }


def _sections(sections: Sequence[tuple[str, Sequence[tuple[str, object]]]]) -> int:
    """Each section under its head, two columns; values that are lists are joined."""
    rows: list[tuple[object, ...]] = []
    for head, lines in sections:
        rows.append((head, ""))
        for label, value in lines:
            joined = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else value
            rows.append((f"  {label}", joined))
    table(("", ""), rows, headed=False)
    return DONE


def tools(target: str, *, json: bool) -> int:
    """Write the tools that a target names; the exit code.

    Raises:
        ConfigurationError: There are none.
        Exception: Whatever the target's own code raises.
    """
    from agentkit.cli.target import tools_of

    found = tools_of(target)
    if json:
        return _json([tool.definition() for tool in found])
    rows: list[tuple[object, ...]] = []
    for tool in found:
        rows.append((tool.name, "", "", one_line(tool.description)))
        schema: Mapping[str, Any] = tool.schema
        required = schema.get("required", ())
        for name, one in schema.get("properties", {}).items():
            need = "required" if name in required else _default(one)
            rows.append((f"  {name}", kind_of(one, schema), need, one_line(str(one.get("description", "")))))
    table(("TOOL", "TYPE", "", "DESCRIPTION"), rows)
    return DONE


def kind_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words: `integer, ≥ 1, ≤ 7`, `array of string`, `"a" | "b"`.

    Args:
        schema: The schema of one value.
        root: The schema that holds `$defs`.
    """
    return _kind(schema, root, 0)


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    if depth > 4:  # a type may hold itself
        return "…"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        inner = root.get("$defs", {}).get(name, {})
        return name if inner.get("type") == "object" else _kind(inner, root, depth + 1)
    if "enum" in schema:
        return " | ".join(jsonlib.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "const" in schema:
        return jsonlib.dumps(schema["const"], ensure_ascii=False)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_kind(one, root, depth + 1) for one in schema[key]))
    kind: Any = schema.get("type", "any")
    text = kind if isinstance(kind, str) else " | ".join(map(str, kind))
    if text == "array" and isinstance(schema.get("items"), Mapping):
        text = f"array of {_kind(schema['items'], root, depth + 1)}"
    if "format" in schema:
        text += f" ({schema['format']})"
    return ", ".join([text, *(words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema)])


def _default(schema: Mapping[str, Any]) -> str:
    if "default" not in schema:
        return "optional"
    return one_line(f"= {jsonlib.dumps(schema['default'], ensure_ascii=False)}", 40)


def _json(value: object) -> int:
    sys.stdout.write(jsonlib.dumps(value, indent=2) + "\n")
    return DONE


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, headed: bool = True) -> None:
    """Columns with two spaces between them; off a terminal each row is one whole line, whatever its length."""
    from rich.table import Table
    from rich.text import Text

    from agentkit.cli.show import console_for

    console = console_for(sys.stdout)
    table = Table(*head, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=headed)
    for row in rows:
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    if not sys.stdout.isatty():
        console.width = 100_000
    with console.capture() as capture:
        console.print(table, soft_wrap=False, crop=False)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))
