"""A closed JSON Schema against a mapping: every mistake in words, with the nearest name; defaults filled in."""

import copy
import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_NUMBER = re.compile(r"[-+]?(\d[\d_]*)?\.?\d+([eE][-+]?\d+)?|[-+]?\d+\.([eE][-+]?\d+)?")
_BOOLEANS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping of keys to values",
}


class Problem(NamedTuple):
    """One mistake: the dotted key it is at and what is wrong, in words."""

    key: str
    text: str


def nearest(name: object, names: Iterable[object]) -> str | None:
    """Return the one of ``names`` that ``name`` is probably a misspelling of, or None."""
    by_folded = {str(known).lower(): str(known) for known in names}
    found = difflib.get_close_matches(str(name).lower(), by_folded, n=1, cutoff=0.67)  # cpu is not gpu
    return by_folded[found[0]] if found else None


def unknown_name(name: object, names: Iterable[object]) -> str:
    """Return what to say of a name that is none of ``names``: the nearest one, or all of them."""
    names = sorted(map(str, names))
    close = nearest(name, names)
    if close is not None:
        return f"(did you mean '{close}'?)"
    return f"(known: {', '.join(names)})" if names else "(there are none)"


def quoted(value: object) -> str:
    """Return a value as a user wrote it, or nearly: text in quotes, null, true and false as YAML has them."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str | int | float | list | dict) else f"'{value}'"
    return text if len(text) <= 60 else f"{text[:57]}..."


def yaml_hint(value: object, wanted: Iterable[str]) -> str:
    """Return a hint where YAML 1.1 probably read something else than was meant, else the empty string.

    ``wanted`` are JSON Schema type names, such as ``{"number", "null"}``.
    """
    wanted = set(wanted)
    if isinstance(value, str) and wanted & {"integer", "number"} and _NUMBER.fullmatch(value):
        number = float(value.replace("_", ""))
        if "number" in wanted or number.is_integer():
            return f"(it is text to YAML: write {yaml_number(number)} without quotes)"
    if isinstance(value, str) and "boolean" in wanted and value.lower() in _BOOLEANS:
        return f"(it is text to YAML: write {_BOOLEANS[value.lower()]} without quotes)"
    if isinstance(value, bool) and "string" in wanted:
        return "(YAML reads yes, no, on and off as true and false: put quotes around it)"
    if value is None:
        return "(nothing stands after the colon)"
    return ""


def yaml_number(number: float) -> str:
    """Return a number as YAML 1.1 reads it: 1.0e-05, not 1e-05 (a point and a signed exponent are needed)."""
    if not math.isfinite(number) or (number.is_integer() and abs(number) < 1e15):
        return f"{number:.0f}"
    text = repr(number)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def describe(schema: Mapping) -> str:
    """Return in words what a value under ``schema`` is: "an integer from 1 to 1000", "one of replace, accumulate"."""
    if "anyOf" in schema:
        return " or ".join(describe(option) for option in schema["anyOf"])
    if "const" in schema:
        return quoted(schema["const"])
    if "enum" in schema:
        names = [value if isinstance(value, str) else quoted(value) for value in schema["enum"]]
        return f"one of {', '.join(names)}"
    types = types_of(schema)
    words = [_TYPES[name] + (_range(schema) if name in ("integer", "number") else "") for name in types]
    if "array" in types and "items" in schema:
        least = "non-empty " if schema.get("minItems") else ""
        words[types.index("array")] = f"a {least}list; each item is {describe(schema['items'])}"
    return " or ".join(words)


def types_of(schema: Mapping) -> list[str]:
    """Return the JSON Schema type names that ``schema`` allows."""
    if "anyOf" in schema:
        return [name for option in schema["anyOf"] for name in types_of(option)]
    if "type" not in schema:
        return ["string"]  # enum and const: names
    return [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])


def _range(schema: Mapping) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return f" {' and '.join(limits)}" if limits else ""


def checker(schema: Mapping) -> Callable[[Mapping], list[Problem]]:
    """Return a function from a config to its problems under ``schema``; built once, called for every arm."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    places = _places(schema)

    def check(config: Mapping) -> list[Problem]:
        found = {}
        for error in validator.iter_errors(config):
            for problem in _problems(error, places):
                found.setdefault(problem.key, problem)
        for key, value in _numbers(config):
            if not math.isfinite(value):
                found[key] = Problem(key, f"{value} is not a finite number")
        return list(found.values())

    return check


def _problems(error, places: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Turn one jsonschema error into problems: one for each unknown key, one for anything else."""
    key, value, schema = dotted(error.absolute_path), error.instance, error.schema
    if error.validator == "additionalProperties":
        known = schema["properties"]
        for name in value.keys() - known.keys():
            where = [place for place in places.get(str(name), ()) if place != key]
            hint = f"(it belongs in {' or '.join(where)})" if where else unknown_name(name, known)
            yield Problem(dotted([*error.absolute_path, name]), f"unknown key {hint}")
    elif error.validator == "required":
        for name in schema["required"]:
            if name not in value:
                yield Problem(dotted([*error.absolute_path, name]), "is missing")
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem(key, f"{quoted(value)} is no name (lower case letters, digits and _, a letter first)")
    elif error.validator == "uniqueItems":
        twice = next(item for i, item in enumerate(value) if item in value[:i])
        yield Problem(key, f"{quoted(twice)} is given twice")
    elif error.validator == "minLength":
        yield Problem(key, "is empty")
    else:
        yield Problem(key, f"{quoted(value)} is not {describe(schema)}{_hint(value, schema)}")


def _hint(value: object, schema: Mapping) -> str:
    options = [*schema.get("enum", ()), *(option["const"] for option in schema.get("anyOf", ()) if "const" in option)]
    close = nearest(value, [o for o in options if isinstance(o, str)]) if isinstance(value, str) else None
    hint = f"(did you mean '{close}'?)" if close else yaml_hint(value, types_of(schema))
    return f" {hint}" if hint else ""


def _places(schema: Mapping, path: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return, for the name of every key, the sections that have a key of that name (for keys in the wrong one)."""
    places: dict[str, list[str]] = {}
    for name, child in schema.get("properties", {}).items():
        if path and name not in ("params", "plugin", "seed"):
            places.setdefault(name, []).append(dotted(path))
        for inner, sections in _places(child, (*path, name)).items():
            places.setdefault(inner, []).extend(sections)
    return {name: sections for name, sections in places.items() if path or len(sections) <= 2}


def _numbers(value: object, path: tuple = ()) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield dotted(path), value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, float | dict | list):
                yield from _numbers(inner, (*path, key))


def dotted(path: Iterable[object]) -> str:
    """Return a path as a key: ("seeds", 1) is "seeds[1]", ("dataset", "seed") is "dataset.seed"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def filled(value: object, schema: Mapping) -> object:
    """Return a copy of ``value`` with the defaults of ``schema`` where a key is absent, and whole floats as integers.

    A section that is null (a key with nothing under it) is a section with nothing in it.
    """
    if schema.get("type") == "object" and value is None:
        value = {}
    if schema.get("type") == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        rest = extra if isinstance(extra, dict) else {}
        result = {name: filled(value.get(name, child.get("default")), child) for name, child in known.items()
                  if name in value or "default" in child}  # fmt: skip
        return result | {name: filled(inner, rest) for name, inner in value.items() if name not in known}
    if isinstance(value, list) and "items" in schema:
        return [filled(item, schema["items"]) for item in value]
    if isinstance(value, float) and value.is_integer() and "integer" in types_of(schema):
        return int(value)
    return copy.deepcopy(value)


def plain(value: object) -> object:
    """Return ``value`` with every mapping an ordinary dict with text as keys (``no:`` is the key ``false`` to YAML)."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else quoted(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value
