"""Plug-ins are Python files named by their path: loading one, and checking its parameters against its signatures.

A plug-in is a file with the functions of its kind: no base class, no registry, no privilege of the shipped ones over
a user's. The parameters that a user may set are the keyword-only parameters *with a default*; those without one are
what the workflow gives (seed, device, run, ...), and a function names only those it uses.
"""

import difflib
import hashlib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

from selfloop.errors import UserError

# kind -> function -> (positional parameters, what the workflow can give by keyword)
CONTRACTS = {
    "dataset": {"load": ((), ("seed",)), "count": ((), ())},
    "generator": {
        "train": (("samples",), ("labels", "replicate", "seed", "device", "precision", "compile", "run", "team")),
        "load": (("weights",), ("shape", "model", "device", "precision", "compile")),
    },
    "embedder": {
        "load": ((), ("state", "device")),
        "fit": (("images", "labels"), ("seed", "device")),
        "weights": ((), ()),
        "describe": ((), ()),
    },
}
REQUIRED = {"dataset": ("load",), "generator": ("train", "load"), "embedder": ("load",)}
CONSTANTS = {"embedder": ("EXTRACTOR", "PREPROCESSING")}

_TYPES = {bool: (bool,), int: (int,), float: (int, float), str: (str,), list: (list, tuple), tuple: (list, tuple)}


def load_plugin(path: str | Path, kind: str) -> ModuleType:
    """Load the plug-in file `path` of `kind` (dataset, generator, embedder) and check it against its contract.

    Raises UserError, one line with the file and the line in it: no such file, a syntax error, an error while it is
    imported, a contract function that is missing or takes other parameters than the contract's. The file is compiled
    from its text each time (no stale bytecode) and its module is new each time.
    """
    path = Path(path)
    module = _import(path, kind)
    for name in REQUIRED[kind]:
        if not callable(getattr(module, name, None)):
            raise UserError(f"{path}: no function '{name}'; a {kind} plug-in defines {_signatures(kind)}")
    for name, contract in CONTRACTS[kind].items():
        if callable(getattr(module, name, None)):
            _check_signature(path, getattr(module, name), name, *contract)
    for name in CONSTANTS.get(kind, ()):
        if not isinstance(getattr(module, name, None), str):
            raise UserError(f"{path}: no text constant {name}; it is recorded beside every embedding of the {kind}")
    return module


def call_parameters(function: Callable, params: Mapping, where: str, also: Iterable[Callable] = ()) -> dict:
    """Return those of a user's `params` that `function` takes, after checking all of them.

    Known are the keyword-only parameters with a default of `function` and of the functions `also`, which the same
    `params` serve (an embedder's fit, load and weights); what only they take is checked and left out. `where` is the
    key that the user wrote. UserError: a name that nobody knows, with the nearest known one and the whole list; a
    value of another type than the default's (None is taken where the default or the annotation says None).
    """
    own = _settable(function)
    known = {name: value for each in also for name, value in _settable(each).items()} | own
    for name in params:
        if name not in known:
            raise UserError(f"{where}: unknown parameter '{name}'{_nearest(str(name), known)} ({_listed(known)})")
    typed = {name: _typed(known[name], value, where) for name, value in params.items()}
    return {name: value for name, value in typed.items() if name in own}


def all_parameters(function: Callable, params: Mapping) -> dict:
    """Return every parameter of `function` that a user may set, with its value: the user's, else the default."""
    return {name: parameter.default for name, parameter in _settable(function).items()} | dict(params)


def offered(function: Callable, **values) -> dict:
    """Return those of the workflow's `values` (seed, device, run, ...) that `function` names."""
    return {name: value for name, value in values.items() if name in inspect.signature(function).parameters}


def call(function: Callable, given: Mapping, params: Mapping, where: str, *positional):
    """Call a contract function with what it names of the workflow's `given`, and the user's `params`, checked."""
    return function(*positional, **(call_parameters(function, params, where) | offered(function, **given)))


def _import(path: Path, kind: str) -> ModuleType:
    """Execute the file as a module of its own name, turning any error of the file's into one line."""
    if not path.is_file():
        raise UserError(f"{path}: no such file ({kind} plug-in)")
    name = f"selfloop_plugin_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    try:
        code = loader.source_to_code(loader.get_data(str(path)), str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, a bad encoding
        line = getattr(error, "lineno", None) or 1
        raise UserError(f"{path}:{line}: {type(error).__name__}: {error.args[0]}") from None
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"{failure(error, path)}, while the {kind} plug-in was imported") from None
    return module


def failure(error: BaseException, path: str | Path) -> str:
    """Describe an error that a plug-in raised on one line, `path:line: Type: message`; the line is the plug-in's."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = f":{frames[-1].lineno}" if frames else ""
    return f"{path}{line}: {type(error).__name__}: {' '.join(str(error).split())}"


def _check_signature(path: Path, function: Callable, name: str, positional: tuple, given: tuple) -> None:
    """Raise UserError unless `function` has its contract's positional parameters and takes nothing unforeseen."""
    line = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_firstlineno", 1)
    where, parameters = f"{path}:{line}", inspect.signature(function).parameters.values()
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        raise UserError(f"{where}: {name}() takes any name (*args or **kwargs); name each parameter, with its default")
    plain = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    if len(plain) != len(positional):
        wanted = f"({', '.join(positional)}, *, ...)" if positional else "(*, ...)"
        raise UserError(f"{where}: {name}({', '.join(plain)}, ...) is called as {name}{wanted}; put * before the rest")
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in given:
            raise UserError(f"{where}: parameter '{p.name}' of {name}() needs a default: the workflow gives "
                            f"{', '.join(given) or 'nothing'}, the rest is the user's to leave out")  # fmt: skip


def _settable(function: Callable) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def _typed(parameter: inspect.Parameter, value, where: str):
    """Return a value of the default's type (1024.0 as 1024), or raise UserError; a default of None says nothing."""
    default, annotation = parameter.default, str(parameter.annotation)
    wanted = _TYPES.get(type(default))
    if wanted is None or "|" in annotation or "Union" in annotation or "Optional" in annotation:
        return value
    if isinstance(value, wanted) and (not isinstance(value, bool) or type(default) is bool):
        return value
    if type(default) is int and isinstance(value, float) and value.is_integer():
        return int(value)
    hint = ""
    if isinstance(value, str) and type(default) is float and _is_number(value):
        hint = "; YAML reads 1e-3 as text, write 1.0e-3"
    raise UserError(f"{where}.{parameter.name}: {value!r} is {_type_name(value)}, not {_type_name(default)} "
                    f"(default {default!r}){hint}")  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _type_name(value) -> str:
    names = {bool: "true/false", int: "a whole number", float: "a number", str: "text", list: "a list", tuple: "a list",
             dict: "a mapping", type(None): "null"}  # fmt: skip
    return names.get(type(value), type(value).__name__)


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{match[0]}'?" if match else ""


def _listed(known: Iterable[str]) -> str:
    return f"known: {', '.join(sorted(known))}" if known else "it takes none"


def _signatures(kind: str) -> str:
    texts = []
    for name in REQUIRED[kind]:
        positional, given = CONTRACTS[kind][name]
        texts.append(f"{name}({', '.join((*positional, '*', *given))}, ...)")
    return " and ".join(texts)
