"""Which chain makes which file, and what each stage is told.

A *chain* is one arm with one seed. Every stage of a chain has an *identity*: the settings that matter to it and the
identities of its inputs. A chain uses, by path, the file of the main chain of its seed wherever the identities agree,
and makes its own from the stage on where it first differs. It shares with no other arm, so that adding, removing or
reordering arms moves nobody's files.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property

from selfloop.training_set import pool_generations, real_count
from selfloop.versions import RESULTS_VERSION

MAIN = "main"


class Chain:
    """One arm with one seed: its settings, the identity of each of its stages, and the path of each of its files."""

    def __init__(self, arm: str, seed: int, config: Mapping, first_seed: int, elders: Sequence["Chain"]):
        """``elders`` are the chains whose files this one may use: see `chains`."""
        self.arm, self.seed, self.config, self._elders = arm, seed, config, elders
        parts = [arm] * (arm != MAIN) + [f"seed{seed}"] * (seed != first_seed)
        self.name = "_".join(parts) or MAIN
        self.suffix = "".join(f"_{part}" for part in parts)
        self.folder = "/".join(["results", *parts])
        self.generations = config["generations"]
        self._identities: dict[tuple, str] = {}

    # ---- settings ----

    @cached_property
    def size(self) -> int:
        """N, the size of D_1, per replicate."""
        return self.config["training_set"]["n"]

    @cached_property
    def sampled(self) -> int:
        """c N, the samples made in a generation, per replicate."""
        return round(self.config["sampling"]["pool_factor"] * self.size)

    @cached_property
    def real(self) -> int:
        """Real items in every training set after the first, per replicate (``training_set.real_fraction``)."""
        return real_count(self.size, self.config["training_set"]["real_fraction"])

    @cached_property
    def fresh(self) -> bool:
        """Whether the real items are drawn anew every generation."""
        return self.real > 0 and self.config["training_set"]["real_source"] == "fresh"

    @cached_property
    def spaces(self) -> dict:
        """Feature spaces by name: every one of the config is computed for every generation."""
        return self.config["embedder"]["spaces"]

    def settings(self, stage: str, g: int) -> dict:
        """Return what stage ``stage`` of generation ``g`` is told that can change its result."""
        c, common = self.config, {"results_version": RESULTS_VERSION[_VERSIONED.get(stage, stage)]}
        device = {key: c[key] for key in ("device", "deterministic")}
        machine = device | {key: c[key] for key in ("precision", "compile")}  # of the generator alone
        if stage in ("data", "fresh", "heldout"):
            own = {"dataset": c["dataset"]}
            if stage != "heldout":
                own |= {"seed": self.seed, "n": self.size if stage == "data" else self.real}
                own |= {"balanced": c["training_set"]["balanced"]}
        elif stage == "train_embedder":
            own = {"space": self.spaces[g], "seed": c["embedder"]["seed"], "threads": c["threads"][stage], **device}
        elif stage == "train":
            own = {"generator": c["generator"], "seed": self.seed, "threads": c["threads"][stage],
                   "processes": c["train_processes"], **machine}  # fmt: skip
        elif stage == "sample":
            batch = {key: c["sampling"][key] for key in ("params", "labels", "batch_size")}
            own = {**batch, "n": self.sampled, "seed": self.seed, "threads": c["threads"][stage], **machine}
        elif stage in ("embed", "embed_heldout", "embed_fresh"):
            own = {"spaces": self.spaces, "batch_size": c["embedder"]["batch_size"], "threads": c["threads"]["embed"],
                   **device}  # fmt: skip
        elif stage == "select":
            own = {"training_set": c["training_set"], "seed": self.seed, "threads": c["threads"][stage]}
            own |= {"selection": c["selection"]} if g > 0 else {}
            own = own if g > 0 else {"n": self.size}
        elif stage == "evaluate":
            own = {"evaluate": c["evaluate"], "n": self.evaluated, "seed": self.seed, "threads": c["threads"][stage]}
        return own | common

    @cached_property
    def evaluated(self) -> int:
        """The first this many samples of a generation are evaluated, per replicate."""
        return self.config["evaluate"]["n"] or min(self.size, self.sampled)

    # ---- identity and sharing ----

    def inputs(self, stage: str, g) -> list[tuple]:
        """Return the (stage, generation) pairs whose results stage ``stage`` of generation ``g`` reads."""
        fresh = [("embed_fresh", k) for k in range(2, g + 1)] if self.fresh and stage in ("select", "evaluate") else []
        return {
            "data": lambda: [],
            "heldout": lambda: [],
            "fresh": lambda: [],
            "train_embedder": lambda: [("data", 0)],
            "train": lambda: (
                [("select", g - 1), *(("sample" if k else "data", k) for k in self.trained_on(g))]
                + [("fresh", g)] * (self.fresh and g > 1)
            ),
            "sample": lambda: [("train", g)],
            "embed": lambda: [("sample" if g else "data", g), *self._embedders()],
            "embed_heldout": lambda: [("heldout", 0), *self._embedders()],
            "embed_fresh": lambda: [("fresh", g), *self._embedders()],
            "select": lambda: (
                [("embed", k) for k in sorted({0, *self.pool(g)})]
                + [("embed_heldout", 0)] * (self.config["selection"]["reference"] == "heldout" and g > 0)
                + [("select", g - 1)] * (self.config["training_set"]["paradigm"] == "accumulate" and g > 0)
                + [("fresh", g + 1)] * (self.fresh and g > 0)
            ),
            "evaluate": lambda: (
                [("embed", k) for k in sorted({0, g, *self.trained_on(g)})]
                + [("select", g - 1), ("embed_heldout", 0)]
                + fresh[-1:]
            ),
        }[stage]()

    def _embedders(self) -> list[tuple]:
        return [("train_embedder", space) for space, settings in self.spaces.items() if settings["fitted"]]

    def pool(self, g: int) -> list[int]:
        """Return the generations whose items are candidates for D_{g+1}."""
        return pool_generations(self.config["training_set"]["paradigm"], g)

    def trained_on(self, g: int) -> list[int]:
        """Return the generations that items of D_g can come from."""
        if g == 1:
            return [0]
        paradigm = self.config["training_set"]["paradigm"]
        if paradigm == "replace":
            return ([0] if self.real and not self.fresh else []) + [g - 1]
        return list(range(g))

    def identity(self, stage: str, g) -> str:
        """Return the SHA-256 of everything that a stage's result depends on."""
        key = (stage, g)
        if key not in self._identities:
            reader = self.embedder_source if stage == "train_embedder" else self
            parents = [reader.identity(*parent) for parent in self.inputs(stage, g)]
            content = json.dumps([stage, g, self.settings(stage, g), parents], sort_keys=True)
            self._identities[key] = hashlib.sha256(content.encode()).hexdigest()
        return self._identities[key]

    @cached_property
    def embedder_source(self) -> "Chain":
        """The chain on whose real images embedders are fitted, one for all of a dataset: distances then compare."""
        same_data = [elder for elder in self._elders if elder.config["dataset"] == self.config["dataset"]]
        return same_data[0] if same_data else self

    def owner(self, stage: str, g) -> "Chain":
        """Return the chain that makes this result: the first elder with the same identity, or this chain."""
        for elder in self._elders:
            seedless = stage in ("heldout", "embed_heldout", "train_embedder")
            exists = seedless or (elder.seed == self.seed and elder.arm == MAIN and g <= elder.last(stage))
            if exists and stage_exists(elder, stage, g) and elder.identity(stage, g) == self.identity(stage, g):
                return elder
        return self

    def last(self, stage: str) -> int:
        """Return the last generation for which a stage exists."""
        return self.generations - 1 if stage == "select" else self.generations

    def owns(self, stage: str, g) -> bool:
        """Whether this chain has a rule of its own for this stage."""
        return self.owner(stage, g) is self

    # ---- paths ----

    def _at(self, stage: str, g, path: str) -> str:
        return f"{self.owner(stage, g).folder}/{path}"

    def samples(self, g: int) -> str:
        """Return the path of generation g's samples (.npy; its table lies beside it)."""
        return self._at("sample" if g else "data", g, f"gen{g}/samples/part-0000.npy")

    def samples_table(self, g: int) -> str:
        """Return the path of the table beside generation g's samples."""
        return self.samples(g).removesuffix(".npy") + ".parquet"

    def heldout(self) -> str:
        """Return the path of the held-out real images."""
        return self._at("heldout", 0, "heldout/samples/part-0000.npy")

    def fresh_samples(self, g: int) -> str:
        """Return the path of the real items drawn for D_g."""
        return self._at("fresh", g, f"gen{g}/real/samples/part-0000.npy")

    def embeddings(self, space: str, g: int) -> str:
        """Return the path of generation g's features in one space."""
        return self._at("embed", g, f"gen{g}/embeddings/{space}/part-0000.parquet")

    def heldout_embeddings(self, space: str) -> str:
        """Return the path of the held-out images' features in one space."""
        return self._at("embed_heldout", 0, f"heldout/embeddings/{space}/part-0000.parquet")

    def fresh_embeddings(self, space: str, g: int) -> str:
        """Return the path of the features of the real items drawn for D_g."""
        return self._at("embed_fresh", g, f"gen{g}/real/embeddings/{space}/part-0000.parquet")

    def embedder(self, space: str) -> str:
        """Return the path of a fitted embedder's state."""
        return self._at("train_embedder", space, f"embedders/{space}/weights.safetensors")

    def model(self, g: int) -> str:
        """Return the path of model g's weights (model.json lies beside them)."""
        return self._at("train", g, f"gen{g}/model/weights.safetensors")

    def training_set(self, g: int) -> str:
        """Return the path of D_g, which select_g{g-1} makes."""
        return self._at("select", g - 1, f"gen{g}/training_set.parquet")

    def selection(self, g: int) -> str:
        """Return the path of the answer of the selection rule on generation g's pool."""
        return self._at("select", g, f"gen{g}/selection.parquet")

    def metrics(self, g: int) -> str:
        """Return the path of generation g's metrics.json."""
        return self._at("evaluate", g, f"gen{g}/metrics.json")

    def fid(self, g: int) -> str:
        """Return the path of generation g's fid.json."""
        return self._at("evaluate", g, f"gen{g}/fid.json")


_VERSIONED = {"fresh": "data", "heldout": "data", "embed_heldout": "embed", "embed_fresh": "embed"}


def stage_exists(chain: Chain, stage: str, g) -> bool:
    """Whether the chain has this stage at all (a feature space that it lacks has no embedder)."""
    return g in chain.spaces if stage == "train_embedder" else True


def chains(resolved: Sequence[tuple[str, int, Mapping]]) -> list[Chain]:
    """Make the chains of (arm, seed, config) triples, main first.

    Files are shared with the main chain of the same seed; what no seed enters (held-out images and their features,
    fitted embedders) with the main chain and the arm's chain of the first seed.
    """
    first_seed = resolved[0][1]
    made: list[Chain] = []
    for arm, seed, config in resolved:
        elders = [c for c in made if (c.arm == MAIN and c.seed in (seed, first_seed)) or
                  (c.arm == arm and c.seed == first_seed)]  # fmt: skip
        elders.sort(key=lambda c: (c.arm != MAIN, c.seed != first_seed))
        made.append(Chain(arm, seed, config, first_seed, elders))
    return made
