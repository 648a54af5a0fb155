"""The parameters of a plug-in, read from its text: nothing is imported, so that a config is checked in milliseconds."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from selfloop.errors import UserError
from selfloop.plugins import CONTRACTS
from selfloop.schema import Problem, quoted, unknown_name, yaml_hint

# Where parameters stand in the config -> the kind of plug-in and the functions of it that take them; those after the
# first may be absent. A selector's function is the one that it hands to selector_script(...).
READERS = {
    "dataset": ("dataset", ("load", "count")),
    "generator": ("generator", ("train",)),
    "sampling": ("generator", ("load",)),
    "space": ("embedder", ("load", "fit", "weights", "describe")),
    "selection": ("selector", ("select",)),
}
_SELECTOR_GIVEN = {"pool", "reference", "n", "rng", "table"}
_PYTHON_TYPES = {
    "int": "integer", "float": "number", "str": "string", "bool": "boolean", "None": "null",
    "list": "array", "tuple": "array", "Sequence": "array", "dict": "object", "Mapping": "object", "Path": "string",
}  # fmt: skip
_WORDS = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false",
          "array": "a list", "object": "a mapping of keys to values", "null": "null"}  # fmt: skip
ANYTHING = object()


class Parameter(NamedTuple):
    """One parameter: its default (ANYTHING where it is no literal) and the JSON types or choices it takes, if known."""

    default: object
    types: tuple[str, ...] = ()
    choices: tuple = ()


def syntax(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file. Raises UserError with what is wrong and in which line."""
    try:
        return ast.parse(Path(path).read_bytes())
    except SyntaxError as error:
        raise UserError(f"is no Python: line {error.lineno}, {error.msg}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({error})") from None


def defines(tree: ast.Module, name: str) -> bool:
    """Whether a module binds ``name`` at its top level, by def, import or assignment."""
    return any(name in _bound(node) for node in tree.body)


def given(reader: str) -> set[str]:
    """Return the names that the workflow gives to the functions of ``reader``; they are no parameters of the user's."""
    kind, functions = READERS[reader]
    if kind == "selector":
        return _SELECTOR_GIVEN
    return {name for function in functions for names in CONTRACTS[kind][function] for name in names}


def parameters(tree: ast.Module, reader: str) -> dict[str, Parameter] | None:
    """Return the user's parameters, keyword-only and with a default, by name; None where they cannot be known.

    They cannot where the function is imported or made by a call. ``reader`` is a key of READERS. Raises UserError if
    the file lacks the function that makes it a plug-in of its kind, or the function takes any name.
    """
    kind, functions = READERS[reader]
    result: dict[str, Parameter] = {}
    for i, name in enumerate(_selector_function(tree) if kind == "selector" else functions):
        function = next((f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == name), None)
        if function is None and (defines(tree, name) or kind == "selector"):
            return None
        if function is None and i == 0:
            raise UserError(f"has no function {name}, so it is no {kind}")
        if function is not None and function.args.kwarg is not None:
            if kind == "selector":
                return None
            raise UserError(f"line {function.lineno}: {name}() takes any name (**); name each one, with its default")
        result |= _keywords(function.args) if function is not None else {}
    return {name: parameter for name, parameter in result.items() if name not in given(reader)}


def check(params: Mapping, known: Mapping[str, Parameter], reader: str, key: str) -> list[Problem]:
    """Return the problems of ``params``, the value of the config's ``key``, against the plug-in's ``known`` ones."""
    problems = []
    for name, value in params.items():
        where = f"{key}.{name}"
        if name not in known and name in given(reader):
            problems.append(Problem(where, "is given by the workflow and is no parameter"))
        elif name not in known:
            problems.append(Problem(where, f"unknown parameter {unknown_name(name, known)}"))
        elif text := _misfit(value, known[name]):
            problems.append(Problem(where, text))
    return problems


def _selector_function(tree: ast.Module) -> tuple[str, ...]:
    """Return the name of the function that the script hands to selector_script(...), or "select"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "selector_script":
            return tuple(arg.id for arg in node.args[:1] if isinstance(arg, ast.Name)) or READERS["selection"][1]
    return READERS["selection"][1]


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.If | ast.Try | ast.With):
        return set().union(*(_bound(inner) for inner in node.body))
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _keywords(arguments: ast.arguments) -> dict[str, Parameter]:
    """Return the keyword-only parameters that have a default; one without is for the workflow to give."""
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: _parameter(argument, default) for argument, default in pairs if default is not None}


def _parameter(argument: ast.arg, default: ast.expr) -> Parameter:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        value = ANYTHING
    types, choices = _annotated(argument.annotation) if argument.annotation else ((), ())
    return Parameter(value, types or (() if choices else _types_like(value)), choices)


def _types_like(default: object) -> tuple[str, ...]:
    """Return the type obvious from a literal default, the same rule as plugins.call_parameters; None says nothing."""
    name = type(default).__name__
    return (_PYTHON_TYPES[name],) if name in _PYTHON_TYPES else ()


def _annotated(node: ast.expr) -> tuple[tuple[str, ...], tuple]:
    """Return (JSON types, choices) of an annotation; both empty where it says something not understood here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _annotated(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    name = ast.unparse(node.value if isinstance(node, ast.Subscript) else node).split(".")[-1]
    inner = node.slice if isinstance(node, ast.Subscript) else None
    members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal" and all(isinstance(member, ast.Constant) for member in members):
        return (), tuple(member.value for member in members)
    if name == "Union":
        return _union(members)
    if name == "Optional":
        return _union([*members, ast.Constant(None)])
    return ((_PYTHON_TYPES[name],) if name in _PYTHON_TYPES else ()), ()


def _union(nodes: Iterable[ast.expr]) -> tuple[tuple[str, ...], tuple]:
    parts = [_annotated(node) for node in nodes]
    if not all(types or choices for types, choices in parts):
        return (), ()
    choices = tuple(choice for _, some in parts for choice in some)
    types = tuple(name for some, _ in parts for name in some)
    if choices and types:
        return ((), (*choices, None)) if types == ("null",) else ((), ())
    return types, choices


def _misfit(value: object, parameter: Parameter) -> str:
    """Return what is wrong with a value, or the empty string."""
    if parameter.choices and value not in parameter.choices:
        names = ", ".join(c if isinstance(c, str) else quoted(c) for c in parameter.choices)
        texts = [c for c in parameter.choices if isinstance(c, str)]
        hint = unknown_name(value, texts) if isinstance(value, str) else ""
        return f"{quoted(value)} is not one of {names}" + (f" {hint}" if "mean" in hint else "")
    if parameter.types and not any(_is(value, name) for name in parameter.types):
        wanted = [name for name in parameter.types if name != "null"] or ["null"]
        hint = yaml_hint(value, wanted)
        return f"{quoted(value)} is not {' or '.join(_WORDS[name] for name in wanted)}" + (f" {hint}" if hint else "")
    numbers = isinstance(parameter.default, tuple | list) and all(_is(item, "number") for item in parameter.default)
    if numbers and parameter.default and isinstance(value, list):
        for i, item in enumerate(value):
            if isinstance(item, str):
                return f"item {i}, {quoted(item)}, is not a number {yaml_hint(item, ['number'])}".rstrip()
    return ""


def _is(value: object, name: str) -> bool:
    """Whether a value from YAML has a JSON type; 1024.0 is an integer, true is none, a date is text."""
    if name in ("integer", "number"):
        whole = not isinstance(value, float) or value.is_integer()
        return isinstance(value, int | float) and not isinstance(value, bool) and (name == "number" or whole)
    kinds = {"string": str, "boolean": bool, "array": (list, tuple), "object": dict, "null": type(None)}
    return isinstance(value, kinds[name])
