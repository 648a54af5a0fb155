"""Write docs/configuration.md, the reference of config.yaml, from its schema.

python docs/make_configuration.py            # write
python docs/make_configuration.py --check    # exit 1 if the page and the schema are not in step
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from selfloop.config import COMMON, RESERVED, read_yaml
from selfloop.schema import describe, quoted, yaml_number

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
HEAD = f"""\
# Configuration

<!-- Made from workflow/schemas/config.schema.yaml by docs/make_configuration.py: change the schema, not this page. -->

`config.yaml` is the default experiment; another one is a difference from it, as `--configfile mine.yaml` or as an arm.
Every key has a default. A key that does not exist, a wrong type or range, a missing plug-in, an unknown parameter of a
plug-in and settings that contradict each other are all listed at load, one line each, before anything runs.

* A section with nothing under it is a section with nothing in it: its defaults hold.
* YAML 1.1 reads `1e-4` as text: write `1.0e-4`. It reads `yes`, `no`, `on`, `off` as true and false: quote them.
* `params` are the keyword parameters of a plug-in file; the file's own defaults hold for those not given.
* In an arm, mappings merge and everything else replaces. Another `plugin` or `script` drops the `params` of the one it
  replaces, and another generator also `sampling.params`. An arm cannot change {", ".join(COMMON)}.
* Names of arms are lower case letters, digits and `_`, and none of `gen*`, `seed*`, {", ".join(RESERVED)}.
"""


def page(schema: Mapping) -> str:
    """Return the whole page."""
    parts = [HEAD]
    alone = {name: child for name, child in schema["properties"].items() if not _is_section(child)}
    parts.append("## Keys without a section\n\n" + _table(_rows(alone, "")))
    for name, child in schema["properties"].items():
        if _is_section(child):
            parts.append(f"## {name}\n\n{_text(child)}\n\n{_table(_rows(child['properties'], name))}")
    return "\n".join(parts)


def _is_section(schema: Mapping) -> bool:
    return schema.get("type") == "object" and "properties" in schema


def _rows(properties: Mapping, section: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, values, default, description); stages with the same keys are told once, as <stage>."""
    nested = [name for name, child in properties.items() if _is_section(child)]
    for name, child in properties.items():
        key = f"{section}.{name}" if section else name
        if name in nested and name == nested[0]:
            yield f"`{section}.<stage>`", "a mapping", "", f"{_text(child)} Stages: {', '.join(nested)}."
            yield from _rows(child["properties"], f"{section}.<stage>")
        elif name not in nested:
            yield f"`{key}`", describe(child), f"`{_default(child['default'])}`", _text(child)
            named = child.get("additionalProperties")
            if isinstance(named, Mapping) and "properties" in named:
                yield from _named_rows(named, key)


def _named_rows(named: Mapping, section: str) -> Iterator[tuple[str, str, str, str]]:
    for name, child in named["properties"].items():
        default = f"`{_default(child['default'])}`" if "default" in child else "(must be given)"
        yield f"`{section}.<name>.{name}`", describe(child), default, _text(child)


def _text(schema: Mapping) -> str:
    """Return a description with what Markdown would take for its own (c*N, D_g, seed<k>) escaped."""
    return re.sub(r"([*_<])", r"\\\1", schema["description"].strip())


def _default(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_default(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_default, value)) + "]"
    if isinstance(value, float):
        return f"{value:.1f}" if value.is_integer() else yaml_number(value)
    return value if isinstance(value, str) else quoted(value)


def _table(rows: Iterator[tuple[str, str, str, str]]) -> str:
    lines = ["| key | values | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or with --check compare it."""
    text = page(read_yaml(ROOT / "workflow" / "schemas" / "config.schema.yaml"))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the schema says: python docs/make_configuration.py")


if __name__ == "__main__":
    main()
