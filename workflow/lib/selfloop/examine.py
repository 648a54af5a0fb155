"""One config, or an arm merged into it, looked at from every side: schema, plug-in files, their parameters, sense."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

from selfloop import signatures
from selfloop.contradictions import Settings, Unreadable, contradictions
from selfloop.errors import UserError
from selfloop.schema import Problem, checker, filled, nearest

Find = Callable[[str], Path | None]
Count = Callable[[Path, Mapping], Mapping[str, int] | None]


class Examiner:
    """Checks configs against one schema, and reads each plug-in file once."""

    def __init__(self, schema: Mapping, find: Find, count: Count | None):
        """``find`` and ``count`` as in `config.resolve`."""
        self._schema, self._check, self._find, self._count = schema, checker(schema), find, count
        self._found: dict[str, Path | None] = {}
        self._trees: dict[str, object] = {}
        self._known: dict[tuple[str, str], dict[str, signatures.Parameter] | None] = {}
        self._counts: dict[str, Mapping[str, int] | UserError | None] = {}

    def config(self, config: Mapping) -> tuple[dict, list[Problem]]:
        """Return the config with its defaults filled in, and everything that is wrong with it."""
        result = filled(config, self._schema)
        problems = self._check(result)
        section = result.get("training_set")
        if isinstance(section, dict) and section.get("size") == "pool":
            text = "pool is for an arm, whose N is the rest of the config's: give a number, 2 N with pool_factor 1"
            problems.append(Problem("training_set.size", text))
        return self._sense(result, problems, None)

    def arm(self, merged: Mapping, base: Mapping, known: Sequence[Problem]) -> tuple[dict, list[Problem]]:
        """Return an arm, merged into ``base``, likewise. ``known`` are the problems of ``base``.

        The schema is asked about the sections that differ from ``base``; its problems hold for the others.
        """
        properties, changed = self._schema["properties"], {}
        for key, value in merged.items():
            if value is not base.get(key):
                changed[key] = filled(value, properties[key]) if key in properties else value
        problems = self._check(changed) + [problem for problem in known if _section(problem.key) not in changed]
        return self._sense({**base, **changed}, problems, size_of(base))

    def counts(self, config: Mapping) -> Mapping[str, int] | None:
        """Return the real items that a config's dataset has, None where unknown. Raises UserError from the plug-in."""
        path = self._path(config["dataset"]["plugin"])
        if self._count is None or path is None:
            return None
        key = json.dumps([str(path), config["dataset"]["params"]], sort_keys=True, default=str)
        if key not in self._counts:
            try:
                self._counts[key] = self._count(path, config["dataset"]["params"])
            except UserError as error:
                self._counts[key] = error
        if isinstance(self._counts[key], UserError):
            raise self._counts[key]
        return self._counts[key]

    def located(self, config: Mapping) -> dict:
        """Return a valid config with every plug-in's path as found, and ``fitted`` for each feature space."""
        spaces = {
            name: {**space, "plugin": str(self._path(space["plugin"])), "fitted": self._fitted(space["plugin"])}
            for name, space in config["embedder"]["spaces"].items()
        }
        return {
            **config,
            "dataset": {**config["dataset"], "plugin": str(self._path(config["dataset"]["plugin"]))},
            "generator": {**config["generator"], "plugin": str(self._path(config["generator"]["plugin"]))},
            "selection": {**config["selection"], "script": str(self._path(config["selection"]["script"]))},
            "embedder": {**config["embedder"], "spaces": spaces},
        }

    def _sense(self, config: dict, problems: list[Problem], n: int | None) -> tuple[dict, list[Problem]]:
        """Add what only the plug-ins and the other keys can say; ``n`` is N where the size is "pool"."""
        settings = Settings(config, problems)
        found = [problem for place in _places(config) for problem in self._plugin(settings, *place)]
        problems = list(dict.fromkeys(problems + found))
        counts = None
        if not any(_section(problem.key) == "dataset" for problem in problems):
            try:
                counts = self.counts(config)
            except UserError as error:
                problems.append(Problem("dataset.plugin", " ".join(str(error).split())))
        return config, problems + contradictions(Settings(config, problems, counts, n))

    def _plugin(self, settings: Settings, reader: str, file_key: str, params_key: str) -> list[Problem]:
        """Return what is wrong with one plug-in file and with the parameters that one section gives it."""
        try:
            name = settings[file_key]
        except Unreadable:
            return []
        path = self._path(name)
        if path is None:
            return [Problem(file_key, f"{name}: no such file{self._neighbour(name)}")]
        if not path.is_file():
            return [Problem(file_key, f"{name} is a folder, not a file")]
        if reader == "selection" and path.suffix != ".py":
            runs = os.access(path, os.X_OK)
            return [] if runs else [Problem(file_key, f"{name} has no run bit: chmod +x {name}, or name a .py file")]
        try:
            known = self._parameters(name, reader)
        except UserError as error:
            return [Problem(file_key, f"{name} {error}")]
        try:
            return [] if known is None else signatures.check(settings[params_key], known, reader, params_key)
        except Unreadable:
            return []

    def _path(self, name: str) -> Path | None:
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _tree(self, name: str):
        if name not in self._trees:
            self._trees[name] = signatures.syntax(self._path(name))
        return self._trees[name]

    def _parameters(self, name: str, reader: str) -> dict[str, signatures.Parameter] | None:
        if (name, reader) not in self._known:
            self._known[name, reader] = signatures.parameters(self._tree(name), reader)
        return self._known[name, reader]

    def _fitted(self, name: str) -> bool:
        return signatures.defines(self._tree(name), "fit")

    def _neighbour(self, name: str) -> str:
        """Return the file of nearly that name in the folder that was meant, as a hint."""
        folder = self._find(str(PurePath(name).parent))
        if folder is None or not folder.is_dir():
            return ""
        close = nearest(PurePath(name).name, (file.name for file in folder.iterdir() if file.is_file()))
        return f" (did you mean '{PurePath(name).with_name(close)}'?)" if close else ""


def _places(config: Mapping) -> list[tuple[str, str, str]]:
    """Return (reader of signatures.READERS, key of the file, key of the parameters) for every plug-in of a config."""
    places = [
        ("dataset", "dataset.plugin", "dataset.params"),
        ("generator", "generator.plugin", "generator.params"),
        ("sampling", "generator.plugin", "sampling.params"),
        ("selection", "selection.script", "selection.params"),
    ]
    spaces = config["embedder"].get("spaces") if isinstance(config.get("embedder"), dict) else None
    for name in spaces if isinstance(spaces, dict) else ():
        places.append(("space", f"embedder.spaces.{name}.plugin", f"embedder.spaces.{name}.params"))
    return places


def size_of(config: Mapping) -> int | None:
    """Return ``training_set.size`` where it is a number."""
    section = config.get("training_set")
    size = section.get("size") if isinstance(section, dict) else None
    return size if isinstance(size, int) and not isinstance(size, bool) else None


def _section(key: str) -> str:
    return key.partition(".")[0].partition("[")[0]
