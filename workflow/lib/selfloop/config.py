"""From a config to its chains: arms merged, defaults filled in, everything wrong listed at once.

Pure functions over mappings. Only plug-in files are read, as text; the one thing that runs a plug-in is `count_items`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from selfloop.contradictions import Settings
from selfloop.errors import UserError
from selfloop.examine import Count, Examiner, Find, size_of
from selfloop.schema import Problem, nearest, plain, quoted, unknown_name

__all__ = ["Chain", "ConfigError", "Resolved", "count_items", "merge", "nearest", "read_yaml", "resolve", "settle"]

MAIN = "main"
RESERVED = ("config", "embedders", "figures", "fresh", "heldout", "main", "metrics", "real", "report")
# What the chains of one run have in common: an arm cannot change it.
COMMON = ("arms", "dataset.seed", "embedder.seed", "fetch", "report", "seeds")
_WORTH_COMPILING = 2_000_000  # images that a model is trained on
_ARM = re.compile(r"[a-z][a-z0-9_]*")


class Chain(NamedTuple):
    """One arm with one seed, and its settings: every key of the schema but ``seeds`` and ``arms``, nothing left open.

    Beyond the schema, ``training_set.n`` is N (where ``size`` may be "pool") and ``embedder.spaces.<name>.fitted``
    says whether the plug-in has a fit. Paths of plug-ins are as ``find`` gave them; ``evaluate.n``,
    ``kid_subset_size`` and ``coverage_k`` are numbers; ``device`` and ``precision`` are not "auto" where the hardware
    was given; resources that are null are left out.
    """

    arm: str
    seed: int
    config: dict


class Resolved(NamedTuple):
    """The chains, main first and arms in the order of the config, each with its seeds in order."""

    chains: list[Chain]


class ConfigError(UserError):
    """Everything that is wrong with a config, one line each, sorted by arm and key."""

    def __init__(self, problems: Iterable[tuple[str, Problem]], source: str):
        """``problems`` are (arm, problem) pairs, the arm "" for the config itself; ``source`` is the file to name."""
        self.problems = sorted(set(problems))
        super().__init__("\n".join(_line(source, arm, problem) for arm, problem in self.problems))


def _line(source: str, arm: str, problem: Problem) -> str:
    where = [source, *([f"arm {arm}"] if arm else []), *([problem.key] if problem.key else [])]
    return ": ".join([*where, problem.text])


def resolve(
    config: Mapping,
    *,
    schema: Mapping,
    find: Find,
    count_items: Count | None = None,
    hardware: Mapping[str, object] | None = None,
    source: str = "config.yaml",
) -> Resolved:
    """Return the chains of ``config``, or raise ConfigError with everything that is wrong with it and its arms.

    ``find`` returns the path of a plug-in named in the config, None if there is none. ``count_items`` returns the
    real items of a dataset plug-in per replicate; None leaves that check out. ``hardware`` says what the ``auto``
    settings are read from (see `settle`); None leaves them ``auto``. ``source`` is the file that messages name.
    """
    if not isinstance(config, Mapping):
        what = "is empty" if config is None else f"holds {quoted(config)}"
        raise ConfigError([("", Problem("", f"{what}, not keys and values such as 'generations: 10'"))], source)
    config = plain(config)
    arms = {} if config.get("arms") is None else config["arms"]
    examiner = Examiner(schema, find, count_items)
    base, problems = examiner.config({**config, "arms": {} if isinstance(arms, dict) else arms})
    wrong = [("", problem) for problem in problems]
    merged = {MAIN: base}
    for name, difference in arms.items() if isinstance(arms, dict) else ():
        wrong += [("", Problem(f"arms.{name}", text)) for text in _bad_name(name)]
        difference, found = _difference(base, difference)
        merged[name], more = examiner.arm(merge(base, difference), base, problems)
        wrong += [(name, problem) for problem in found + more if problem not in problems]
    wrong += [("", problem) for problem in _bad_control(base, merged)]
    if wrong:
        raise ConfigError(wrong, source)
    made = []
    for arm, settings in merged.items():
        n = size_of(settings) or size_of(base)
        settled = settle(examiner.located(settings), n, examiner.counts(settings), hardware)
        made += [Chain(arm, seed, plain(settled)) for seed in base["seeds"]]
    return Resolved(made)


def merge(base: Mapping, difference: Mapping) -> dict:
    """Return ``base`` changed by ``difference``: mappings merge, everything else replaces; neither is modified.

    Where a ``plugin`` or ``script`` changes, the ``params`` beside it are dropped first, and with the generator's
    those of ``sampling``: they belong to another file. A section with nothing in it (null) changes nothing; a feature
    space that is null is taken out.
    """
    base = dict(base)
    if _replaced(base.get("generator"), difference.get("generator")) and isinstance(base.get("sampling"), dict):
        base["sampling"] = {**base["sampling"], "params": {}}
    return _without_null_spaces(_merge(base, difference), difference)


def _without_null_spaces(config: dict, difference: Mapping) -> dict:
    """Return ``config`` without those of its feature spaces that are null in ``difference``."""
    embedder, wanted = config.get("embedder"), difference.get("embedder")
    spaces = embedder.get("spaces") if isinstance(embedder, dict) else None
    nulls = wanted.get("spaces") if isinstance(wanted, dict) else None
    if not isinstance(spaces, dict) or not isinstance(nulls, dict):
        return config
    kept = {name: s for name, s in spaces.items() if s is None or name not in nulls or nulls[name] is not None}
    return config if len(kept) == len(spaces) else {**config, "embedder": {**embedder, "spaces": kept}}


def _merge(base: Mapping, difference: Mapping, inside_params: bool = False) -> dict:
    result = dict(base)
    if not inside_params and _replaced(base, difference) and "params" in base:
        result["params"] = {}
    for key, value in difference.items():
        if isinstance(result.get(key), dict) and isinstance(value, dict):
            result[key] = _merge(result[key], value, inside_params or key == "params")
        elif value is not None or inside_params or not isinstance(result.get(key), dict):
            result[key] = value
    return result


def _replaced(base: object, difference: object) -> bool:
    """Whether a section names another plug-in than before."""
    if not isinstance(base, dict) or not isinstance(difference, dict):
        return False
    return any(key in difference and difference[key] != base.get(key) for key in ("plugin", "script"))


def settle(
    config: Mapping, n: int, counts: Mapping[str, int] | None = None, hardware: Mapping[str, object] | None = None
) -> dict:
    """Return a valid config with nothing left open: null counts become numbers and ``auto`` a setting.

    ``n`` is N, ``counts`` the real items that the dataset has, where known.

    The table of ``auto``, from ``hardware`` = {"cuda": bool, "bf16": bool}, what the GPU (if any) can do:

        device     cuda if there is a GPU, else cpu
        precision  fp32 on the CPU; on a GPU bf16 if it has bf16 arithmetic, else fp16
        threads    1: one job a core is faster than one on two; with a GPU 4 for select and evaluate
        compile    false on the CPU; on a GPU true if a model is trained on 2,000,000 images or more: compiling takes
                   one to two minutes, and saves about 0.1 ms an image on an H100 (docs/performance.md)
    """
    settings = Settings(config, [], counts, n)
    evaluate, dataset = dict(config["evaluate"]), dict(config["dataset"])
    evaluate["n"] = settings.evaluated
    if dataset["heldout"] is None and counts:
        dataset["heldout"] = counts["heldout"]
    smallest = min(size for size in (evaluate["n"], n, dataset["heldout"]) if size is not None)
    if evaluate["kid_subset_size"] is None:
        evaluate["kid_subset_size"] = min(1000, max(2, smallest // 2))  # a subset that is the whole set has no spread
    if evaluate["coverage_k"] is None:
        evaluate["coverage_k"] = min(5, max(1, smallest - 1))
    result = {key: value for key, value in config.items() if key not in ("arms", "seeds")}
    resources = {stage: _given(values) for stage, values in config["resources"].items()}
    training_set = {**config["training_set"], "n": n}
    result |= {"dataset": dataset, "training_set": training_set, "evaluate": evaluate, "resources": resources}
    if hardware is not None:
        if result["device"] == "auto":
            result["device"] = "cuda" if hardware.get("cuda") else "cpu"
        if result["precision"] == "auto":
            on_gpu = "bf16" if hardware.get("bf16") else "fp16"
            result["precision"] = on_gpu if result["device"] == "cuda" else "fp32"
        if result["compile"] == "auto":
            result["compile"] = result["device"] == "cuda" and _images_seen(config, n) >= _WORTH_COMPILING
    of_auto = {"select": 4, "evaluate": 4} if result["device"] == "cuda" else {}
    threads = {stage: of_auto.get(stage, 1) if n == "auto" else n for stage, n in config["threads"].items()}
    result["threads"] = threads
    return result


def _images_seen(config: Mapping, n: int) -> float:
    """Return the images that one training of a generator with ``nimg`` or ``epochs`` sees; 0 for any other."""
    params = config["generator"]["params"]
    return params.get("nimg") or n * (params.get("epochs") or 0)


def _given(values: Mapping) -> dict:
    return {key: value for key, value in values.items() if value is not None}


def count_items(plugin: Path, params: Mapping) -> dict[str, int] | None:
    """Return the real items that a dataset plug-in has, per replicate, or None if it has no ``count``.

    {"train": n} or {"train": n, "heldout": n}. Imports the file. Raises UserError, one line, for whatever goes wrong.
    """
    from selfloop.plugins import call_parameters, failure, load_plugin

    module = load_plugin(plugin, "dataset")
    if not hasattr(module, "count"):
        return None
    arguments = call_parameters(module.count, params, "dataset.params", also=[module.load])
    try:
        counts = module.count(**arguments)
    except UserError:
        raise
    except Exception as error:  # whatever a user's file raises
        raise UserError(f"{failure(error, plugin)}, in count()") from None
    good = isinstance(counts, dict) and "train" in counts and set(counts) <= {"train", "heldout"}
    if not good or not all(isinstance(n, int) for n in counts.values()):
        raise UserError(f"{plugin}: count() must return {{'train': n}} and perhaps 'heldout', not {quoted(counts)}")
    return dict(counts)


def read_yaml(path: str | Path) -> dict:
    """Read a YAML file of keys and values. Raises UserError, one line, also for a key that stands twice."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        def construct_mapping(self, node, deep=False):
            keys = [key.value for key, _ in node.value]
            twice = next((key for key, _ in reversed(node.value) if keys.count(key.value) > 1), None)
            if twice is not None:
                line = twice.start_mark.line + 1
                raise UserError(f"{path}: line {line}: '{twice.value}' stands twice in the same section")
            return super().construct_mapping(node, deep)

    text = ""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = yaml.load(text, Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, why = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error).splitlines()[0]
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        tab = mark and "\t" in "".join(text.split("\n")[mark.line : mark.line + 1])[: mark.column + 1]
        hint = " (indent with spaces, not tabs)" if tab else ""
        raise UserError(f"{path}: not YAML: {place}{why}{hint}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no keys and values, such as 'generations: 10'")
    return content


def _difference(base: Mapping, difference: object) -> tuple[Mapping, list[Problem]]:
    """Return what an arm may change of what it changes, and a problem for everything else."""
    if not isinstance(difference, dict):
        text = f"{quoted(difference)} is not a mapping of keys to values"
        if difference is None:
            text = "is empty: it would repeat the main chain; its keys stand under its name, two spaces further in"
        return {}, [Problem("", text)]
    problems, result = [], dict(difference)
    for key in COMMON:
        section, _, name = key.rpartition(".")
        inside = result.get(section) if section else result
        own = base.get(section) if section else base
        if isinstance(inside, dict) and isinstance(own, dict) and name in inside:
            if merge({name: own.get(name)}, {name: inside[name]}) != {name: own.get(name)}:
                problems.append(Problem(key, f"is common to all chains: an arm cannot change {', '.join(COMMON)}"))
            rest = {other: value for other, value in inside.items() if other != name}
            result = {**result, section: rest} if section else rest
    return result, problems


def _bad_control(base: Mapping, arms: Iterable[str]) -> list[Problem]:
    """Return what is wrong with the arm that the others are compared with."""
    control = base["report"].get("control") if isinstance(base.get("report"), dict) else None
    if not isinstance(control, str) or control in arms:
        return []
    return [Problem("report.control", f"{quoted(control)} is no arm {unknown_name(control, arms)}")]


def _bad_name(name: str) -> list[str]:
    """Return what is wrong with the name of an arm: a folder under results/ and the end of a rule's name."""
    if name in ("false", "null", "true"):
        return [f"is no name of an arm: YAML read it as {name}; put quotes around it and choose another"]
    if not _ARM.fullmatch(name):
        return ["is no name of an arm (lower case letters, digits and _, a letter first)"]
    if name in RESERVED or name.startswith(("gen", "seed")):
        return [f"is no name of an arm: gen*, seed*, {', '.join(RESERVED)} are taken"]
    if re.search(r"_seed\d+$", name):
        return ["is no name of an arm: rules of further seeds end in _seed<k>"]
    return []
