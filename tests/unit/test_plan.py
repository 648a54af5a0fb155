"""Which chain makes which file: arms start where they differ, and nobody moves when arms come and go."""

from pathlib import Path

import pytest
import yaml

from selfloop.config import merge, resolve
from selfloop.plan import chains

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
GREEDY = {"selection": {"script": "workflow/plugins/selectors/greedy.py"}}
PIXELS = {"selection": {"space": "pixels"}}
SUBSAMPLE = {"training_set": {"paradigm": "subsample"}}


def plan(arms=None, seeds=(0,), **changes):
    base = yaml.safe_load((ROOT / "config.yaml").read_text())
    config = merge(base, {"generations": 4, "seeds": list(seeds), "arms": arms or {}, **changes})
    made = chains(
        resolve(config, schema=SCHEMA, find=lambda path: Path(path) if (ROOT / path).is_file() else None).chains
    )
    return {chain.name: chain for chain in made}


def owned(chain):
    stages = {"data": [0], "heldout": [0], "embed_heldout": [0], "train_embedder": ["classifier"]}
    stages |= {stage: range(1, 5) for stage in ("train", "sample", "evaluate")}
    stages |= {"embed": range(5), "select": range(4)}
    return {(stage, g) for stage, gs in stages.items() for g in gs if chain.owns(stage, g)}


def test_names_and_folders():
    made = plan({"greedy": GREEDY}, seeds=(0, 3))
    assert [(c.name, c.suffix, c.folder) for c in made.values()] == [
        ("main", "", "results"),
        ("seed3", "_seed3", "results/seed3"),
        ("greedy", "_greedy", "results/greedy"),
        ("greedy_seed3", "_greedy_seed3", "results/greedy/seed3"),
    ]


@pytest.mark.parametrize("difference", [GREEDY, PIXELS, SUBSAMPLE])
def test_an_arm_that_differs_in_the_selection_shares_everything_up_to_the_first_choice(difference):
    arm = plan({"arm": difference})["arm"]
    assert arm.model(1) == "results/gen1/model/weights.safetensors"
    assert arm.metrics(1) == "results/gen1/metrics.json"
    assert arm.selection(1) == "results/arm/gen1/selection.parquet"
    assert arm.training_set(2) == "results/arm/gen2/training_set.parquet"
    assert arm.model(2) == "results/arm/gen2/model/weights.safetensors"
    assert min(g for stage, g in owned(arm)) == 1 and ("select", 1) in owned(arm) and ("train", 1) not in owned(arm)


def test_an_arm_that_differs_in_the_sampler_shares_the_first_model_only():
    arm = plan({"arm": {"sampling": {"params": {"steps": 5}}}})["arm"]
    assert arm.model(1).startswith("results/gen1/") and arm.samples(1).startswith("results/arm/gen1/")
    assert arm.embeddings("pixels", 0).startswith("results/gen0/")


def test_an_arm_that_differs_in_the_evaluation_owns_the_evaluation_alone():
    arm = plan({"arm": {"evaluate": {"k": 5}}})["arm"]
    assert owned(arm) == {("evaluate", g) for g in range(1, 5)}


def test_more_generations_change_nothing_that_exists():
    before, after = plan(), plan(generations=6)
    for g in range(1, 5):
        assert before["main"].identity("evaluate", g) == after["main"].identity("evaluate", g)
    longer = plan({"longer": {"generations": 6}})["longer"]
    assert not owned(longer) - {("select", 4)} and longer.owns("train", 5) and longer.owns("select", 4)


def test_shards_do_not_matter_to_identity():
    one, four = plan(), plan(sampling={"shards": 4}, embedder={"shards": 2})
    assert one["main"].identity("evaluate", 4) == four["main"].identity("evaluate", 4)


def test_adding_removing_or_reordering_arms_moves_nobody():
    alone = plan({"greedy": GREEDY})["greedy"]
    among = plan({"pixels": PIXELS, "subsample": SUBSAMPLE, "greedy": GREEDY})["greedy"]
    assert owned(alone) == owned(among)
    assert [alone.model(g) for g in range(1, 5)] == [among.model(g) for g in range(1, 5)]
    twin = plan({"greedy": GREEDY, "same": GREEDY})["same"]
    assert twin.model(2).startswith("results/same/"), "an arm shares with the main chain, never with another arm"


def test_seeds_share_the_heldout_images_and_the_embedder_and_nothing_else():
    made = plan({"greedy": GREEDY}, seeds=(0, 1))
    seed = made["seed1"]
    assert seed.heldout() == "results/heldout/samples/part-0000.npy"
    assert seed.embedder("classifier") == "results/embedders/classifier/weights.safetensors"
    assert seed.samples(0) == "results/seed1/gen0/samples/part-0000.npy"
    arm = made["greedy_seed1"]
    assert arm.model(1) == "results/seed1/gen1/model/weights.safetensors"
    assert arm.model(2) == "results/greedy/seed1/gen2/model/weights.safetensors"


def test_another_size_keeps_the_feature_space_and_another_dataset_does_not():
    made = plan({"small": {"training_set": {"size": 100}}, "other": {"dataset": {"heldout": 500}}}, seeds=(0, 1))
    assert made["small"].samples(0).startswith("results/small/")
    assert made["small"].embedder("classifier").startswith("results/embedders/")
    assert made["other"].embedder("classifier").startswith("results/other/embedders/")
    assert made["other_seed1"].embedder("classifier").startswith("results/other/embedders/")
    assert made["other_seed1"].heldout().startswith("results/other/heldout/")


def test_what_a_training_set_is_made_of():
    made = plan({
        "accumulate": {"training_set": {"paradigm": "accumulate"}},
        "fixed": {"training_set": {"real_fraction": 0.1}},
        "anew": {"training_set": {"real_fraction": 0.1, "real_source": "fresh"}},
        "subsample": SUBSAMPLE,
    })  # fmt: skip
    assert made["main"].trained_on(3) == [2] and made["main"].trained_on(1) == [0]
    assert made["accumulate"].trained_on(3) == made["subsample"].trained_on(3) == [0, 1, 2]
    assert made["fixed"].trained_on(3) == [0, 2] and made["anew"].trained_on(3) == [2]
    assert made["anew"].fresh_samples(3) == "results/anew/gen3/real/samples/part-0000.npy"
    assert made["accumulate"].pool(3) == [3] and made["subsample"].pool(3) == [0, 1, 2, 3]
    assert ("select", 2) in made["accumulate"].inputs("select", 3)
