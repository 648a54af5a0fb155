"""Every arm of the paper is run: replace, accumulate and subsample, each without a rule and with both rules."""

from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT

from selfloop.contracts import features
from selfloop.entropy import entropy

ARMS = ["main", *yaml.safe_load((ROOT / "tests/e2e/paradigms.yaml").read_text())["arms"]]
N = 20


@pytest.fixture(scope="module")
def training_sets(checkout):
    """D_2 of each arm."""
    paths = {arm: f"results/{'' if arm == 'main' else arm + '/'}gen2/training_set.parquet" for arm in ARMS}
    done = checkout.run(*paths.values(), config="paradigms.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout.folder / "results", {arm: pq.read_table(checkout.folder / path) for arm, path in paths.items()}


def test_sizes_and_generations(training_sets):
    _, tables = training_sets
    counts = {arm: Counter(table.column("generation").to_pylist()) for arm, table in tables.items()}
    for arm in ("main", "replace_greedy", "replace_decay", "replace_decay_released", "greedy_c5"):
        assert counts[arm] == {1: N}, arm
    for arm in ("accumulate", "accumulate_greedy", "accumulate_decay"):
        assert counts[arm] == {0: N, 1: N}, arm
    for arm in ("subsample", "subsample_greedy", "subsample_decay"):
        assert counts[arm].total() == N and set(counts[arm]) <= {0, 1}, arm
    assert counts["subsample_stratified"] == {0: N / 2, 1: N / 2}
    assert counts["control_2n"] == {1: 2 * N} and counts["small"] == {1: N // 2}
    fresh = tables["fresh_greedy"]
    assert counts["fresh_greedy"] == {0: 2, 1: N - 2}
    assert sum(name.startswith("fresh2-") for name in fresh.column("sample_id").to_pylist()) == 2


def test_the_rules_spread_what_they_choose(training_sets):
    """From one pool of 2N, both rules choose sets of higher entropy than chance, and from 5N greedy does more."""
    results, _ = training_sets

    def chosen(arm):
        folder = results if arm == "main" else results / arm
        pool = pq.read_table(next(f for f in (folder, results) if (f / "gen1/embeddings").exists())
                             / "gen1/embeddings/pixels/part-0000.parquet")  # fmt: skip
        selected = pq.read_table(folder / "gen1/selection.parquet").column("selected").to_numpy()
        return entropy(features(pool)[selected])

    rules = ("replace_greedy", "replace_decay", "replace_decay_released")
    assert all(chosen(rule) > chosen("main") + 0.2 for rule in rules), {rule: chosen(rule) for rule in (*rules, "main")}
    assert chosen("greedy_c5") > chosen("replace_greedy")
