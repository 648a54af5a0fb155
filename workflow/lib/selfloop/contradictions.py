"""What one key of a config says against another: a pool smaller than the training set, a space that does not exist."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath

from selfloop.schema import Problem, quoted, unknown_name


class Unreadable(Exception):
    """A key that a check asks for has a problem of its own, or no value yet: the check has nothing to say."""


class Settings:
    """A filled config read by dotted key, in which a key with a problem of its own cannot be read."""

    def __init__(self, config: Mapping, problems: list[Problem], counts: Mapping[str, int] | None = None,
                 n: int | None = None):  # fmt: skip
        """``counts`` are the real items that there are, per replicate: {"train": n, "heldout": n or absent}.

        ``n`` is N where ``training_set.size`` is "pool": the size of the config that the arm differs from.
        """
        self._config, self._bad = config, [problem.key for problem in problems]
        self._counts, self._n = counts, n

    def __getitem__(self, key: str):
        if self._bad and any(_within(key, bad) or _within(bad, key) for bad in self._bad):
            raise Unreadable(key)
        value = self._config
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise Unreadable(key)
            value = value[part]
        return value

    @property
    def counts(self) -> Mapping[str, int]:
        """The real items that there are."""
        if self._counts is None:
            raise Unreadable("dataset")
        return self._counts

    @property
    def n(self) -> int:
        """N, the items of D_1 per replicate."""
        size = self["training_set.size"]
        if size == "pool" and self._n is None:
            raise Unreadable("training_set.size")
        return self._n if size == "pool" else size

    @property
    def sampled(self) -> int:
        """c N, the samples made in a generation per replicate."""
        made = self["sampling.pool_factor"] * self.n
        if not whole(made):
            raise Unreadable("sampling.pool_factor")
        return round(made)

    @property
    def real(self) -> int:
        """round(a N), the real items in every training set (as training_set.real_count)."""
        return math.floor(self["training_set.real_fraction"] * self.n + 0.5)

    @property
    def evaluated(self) -> int:
        """The samples of a generation that are measured per replicate."""
        return self["evaluate.n"] or min(self.n, self.sampled)

    @property
    def heldout(self) -> int:
        """The held-out items per replicate."""
        own = self["dataset.heldout"]
        if own is None and "heldout" not in self.counts:
            raise Unreadable("dataset.heldout")
        return self.counts["heldout"] if own is None else own


def contradictions(settings: Settings) -> list[Problem]:
    """Return every contradiction in a config; checks that need a key which has a problem of its own are left out."""
    found = []
    for check in _CHECKS:
        try:
            found.extend(check(settings))
        except Unreadable:
            continue
    return found


def whole(number: float) -> bool:
    """Whether a product of a decimal and an integer is meant to be an integer >= 1 (0.1 * 30 is)."""
    return number > 0.5 and abs(number - round(number)) < 1e-9 * max(1.0, number)


def _within(key: str, section: str) -> bool:
    return key == section or (key.startswith(section) and key[len(section)] in ".[")


def _real_fraction(s: Settings) -> Iterator[Problem]:
    key, a, paradigm = "training_set.real_fraction", s["training_set.real_fraction"], s["training_set.paradigm"]
    if a > 0 and paradigm != "replace":
        yield Problem(key, f"{a} is for training_set.paradigm replace, not {paradigm}, which has its real items anyway")
    elif a > 0 and s.real == 0:
        yield Problem(key, f"{a} of training_set.size {s.n} is no item at all")
    elif s.real == s.n:
        yield Problem(key, f"{a} of training_set.size {s.n} is all of it, and leaves the rule nothing to choose")


def _pool_control(s: Settings) -> Iterator[Problem]:
    if s["training_set.size"] == "pool" and s["training_set.paradigm"] != "replace":
        yield Problem("training_set.size", f"pool is for paradigm replace, not {s['training_set.paradigm']}")


def _pool_rule(s: Settings) -> Iterator[Problem]:
    if s["training_set.size"] == "pool" and not _keeps_all(s):
        yield Problem("training_set.size", "pool keeps the whole pool: the rule must be keep_all.py, "
                                           f"not selection.script {s['selection.script']}")  # fmt: skip


def _keep_all(s: Settings) -> Iterator[Problem]:
    if not _keeps_all(s) or s["training_set.size"] == "pool":
        return
    paradigm, asked = s["training_set.paradigm"], s.n - (s.real if s["training_set.paradigm"] == "replace" else 0)
    if paradigm == "subsample":
        yield Problem("selection.script", "keep_all keeps the whole pool, which grows under paradigm subsample; "
                                          "take random, or paradigm replace or accumulate")  # fmt: skip
    elif s.sampled != asked:
        control = " (or training_set.size: pool for the control that keeps all)" if paradigm == "replace" else ""
        yield Problem("selection.script", f"keep_all keeps the whole pool of {s.sampled}, but {asked} are asked for: "
                                          f"set sampling.pool_factor to {asked / s.n:g}{control}")  # fmt: skip


def _keeps_all(s: Settings) -> bool:
    return PurePath(s["selection.script"]).stem == "keep_all"


def _pool_factor(s: Settings) -> Iterator[Problem]:
    c, n = s["sampling.pool_factor"], s.n
    if not whole(c * n):
        yield Problem("sampling.pool_factor", f"{c} times training_set.size {n} is {c * n:g}, not a number of samples")


def _pool_size(s: Settings) -> Iterator[Problem]:
    paradigm = s["training_set.paradigm"]
    asked = s.n - s.real if paradigm == "replace" else s.n
    if paradigm != "subsample" and s["training_set.size"] != "pool" and s.sampled < asked:
        yield Problem("sampling.pool_factor", f"the pool of {s.sampled} samples is smaller than the {asked} that the "
                                              f"rule must choose: at least {asked / s.n:g}")  # fmt: skip


def _spaces(s: Settings) -> Iterator[Problem]:
    spaces = s["embedder.spaces"]
    named = [("selection.space", s["selection.space"])]
    for key in ("evaluate.distribution", "evaluate.neighbours"):
        named += [(f"{key}[{i}]", name) for i, name in enumerate(s[key])]
    named += [(f"evaluate.near_duplicate_threshold.{name}", name) for name in s["evaluate.near_duplicate_threshold"]]
    for key, name in named:
        if name not in spaces:
            yield Problem(key, f"{quoted(name)} is none of embedder.spaces {unknown_name(name, spaces)}")


def _evaluated(s: Settings) -> Iterator[Problem]:
    n, made = s.evaluated, s.sampled
    if n > made:
        yield Problem("evaluate.n", f"{n} is more than the {made} samples of a generation (pool_factor times size)")


def _compared(s: Settings) -> Iterator[Problem]:
    """KID takes subsets of every set that it compares; a k-th neighbour needs more than k items."""
    sets = {"evaluate.n": s.evaluated, "training_set.size": s.n}
    with contextlib.suppress(Unreadable):
        sets["dataset.heldout"] = s.heldout
    smallest = min(sets, key=sets.get)
    for key in ("evaluate.kid_subset_size", "evaluate.k", "evaluate.coverage_k"):
        value, most = s[key], sets[smallest] - (key != "evaluate.kid_subset_size")
        if value is not None and value > most:
            yield Problem(key, f"{value} is more than {most}, the most that {smallest} ({sets[smallest]}) allows")


def _shards(s: Settings) -> Iterator[Problem]:
    """A shard is at least one batch (batches.shard_rows); the replicates of a closed-form family are one set."""
    replicates = s["dataset.params"].get("replicates", 1)
    rows = s.sampled * (replicates if isinstance(replicates, int) else 1)
    for section in ("sampling", "embedder"):
        batch, shards = s[f"{section}.batch_size"], s[f"{section}.shards"]
        batches = math.ceil(rows / batch)
        if shards > batches:
            yield Problem(f"{section}.shards", f"{shards} is more than the {batches} batches of {batch} that {rows} "
                                               f"samples make: fewer, or a smaller {section}.batch_size")  # fmt: skip


def _precision(s: Settings) -> Iterator[Problem]:
    if s["precision"] == "fp16" and s["device"] == "cpu":
        yield Problem("precision", "fp16 is for a GPU; on device cpu take fp32 or bf16")


def _guidance(s: Settings) -> Iterator[Problem]:
    """Guidance towards a class needs a model that knows classes: said before a model is trained without."""
    scale, classes = (s[key].get(name) for key, name in (("sampling.params", "guidance_scale"),
                                                         ("generator.params", "num_classes")))  # fmt: skip
    if scale not in (None, 1) and classes is None:
        yield Problem("sampling.params.guidance_scale", f"{scale} guides towards a class, and the model has none: set "
                                                        "generator.params.num_classes")  # fmt: skip


def _network(s: Settings) -> Iterator[Problem]:
    """The shape of a U-Net, where the generator has one: its job would come after others that take long."""
    channels, attention, groups = (s["generator.params"].get(name) for name in ("block_out_channels", "attention",
                                                                                "norm_num_groups"))  # fmt: skip
    if not isinstance(channels, list):
        return
    if isinstance(attention, list) and len(attention) != len(channels):
        yield Problem("generator.params.attention", f"{len(attention)} entries for {len(channels)} block_out_channels")
    odd = [c for c in channels if isinstance(groups, int) and isinstance(c, int) and groups > 0 and c % groups]
    if odd:
        yield Problem("generator.params.norm_num_groups", f"{groups} does not divide {odd[0]} channels")


def _processes(s: Settings) -> Iterator[Problem]:
    processes, gpus = s["train_processes"], s["resources.train.gpu"]
    if processes > 1 and s["device"] == "cuda" and gpus != processes:
        yield Problem("train_processes", f"{processes} on GPUs need one each: set resources.train.gpu to {processes}, "
                                         f"not {gpus}")  # fmt: skip


def _real_items(s: Settings) -> Iterator[Problem]:
    """N items are trained on and the held-out ones apart from them, unless the plug-in has a held-out split."""
    counts, n, heldout = s.counts, s.n, s["dataset.heldout"]
    train, apart = counts["train"], counts.get("heldout")
    if heldout is None and apart is None:
        yield Problem("dataset.heldout", "null takes the held-out items of the plug-in, which has none: give a number")
    elif apart is not None:
        if n > train:
            yield Problem("training_set.size", f"{n} is more than the {train} training items of the dataset")
        if heldout is not None and heldout > apart:
            yield Problem("dataset.heldout", f"{heldout} is more than the {apart} held-out items of the dataset")
    elif n + heldout > train:
        left = f"at most {train - heldout} are left" if train > heldout else "none is left"
        yield Problem("training_set.size", f"{n} and dataset.heldout {heldout} are more than the {train} items of the "
                                           f"dataset: {left}")  # fmt: skip


_CHECKS: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    _real_fraction, _pool_control, _pool_rule, _keep_all, _pool_factor, _pool_size, _spaces, _evaluated, _compared,
    _shards, _precision, _guidance, _network, _processes, _real_items,
)  # fmt: skip
