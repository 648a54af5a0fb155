"""D_{g+1} under each paradigm."""

import numpy as np
import pytest

from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.training_set import fixed_real, items, next_training_set, pool_generations, real_count, replicate_rows


def embeddings(generation, n, replicates=None):
    ids = [f"g{generation}-{i}" for i in range(n * (replicates or 1))]
    replicate = None if replicates is None else np.repeat(np.arange(replicates), n)
    x = np.zeros((len(ids), 2), np.float32)
    return make_table("embeddings", sample_id=ids, generation=[generation] * len(ids), replicate=replicate, embedding=x)


def test_pools():
    assert pool_generations("replace", 3) == pool_generations("accumulate", 3) == [3]
    assert pool_generations("subsample", 3) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "a", "count"), [(10, 0.0, 0), (10, 0.25, 3), (20, 0.1, 2), (600, 0.333, 200)])
def test_real_count_rounds_half_up(n, a, count):
    assert real_count(n, a) == count


def test_replace_keeps_the_chosen_alone_in_index_order():
    pool = items([embeddings(2, 5)])
    answer = next_training_set("replace", pool, np.array([0, 1, 0, 1, 1], bool), None, None)
    assert answer["sample_id"].to_pylist() == ["g2-1", "g2-3", "g2-4"]
    assert answer["index"].to_pylist() == [1, 3, 4]


def test_accumulate_grows_and_subsample_mixes_generations():
    previous = items([embeddings(0, 2)])
    pool = items([embeddings(1, 3)])
    answer = next_training_set("accumulate", pool, np.array([1, 0, 1], bool), previous, None)
    assert answer["sample_id"].to_pylist() == ["g0-0", "g0-1", "g1-0", "g1-2"]
    pool = items([embeddings(0, 2), embeddings(1, 2)])
    answer = next_training_set("subsample", pool, np.array([0, 1, 1, 0], bool), None, None)
    assert answer["sample_id"].to_pylist() == ["g0-1", "g1-0"]


def test_real_items_stand_first_and_are_a_seeded_draw():
    real = items([embeddings(0, 50)])
    first, again = (fixed_real(real, 5, np.random.default_rng(3)) for _ in range(2))
    assert first.equals(again) and len(set(first["sample_id"].to_pylist())) == 5
    pool = items([embeddings(1, 4)])
    answer = next_training_set("replace", pool, np.ones(4, bool), None, first)
    assert answer["generation"].to_pylist() == [0] * 5 + [1] * 4
    with pytest.raises(UserError, match="asks for 51 real items, there are 50"):
        fixed_real(real, 51, np.random.default_rng(0))


def test_replicates_stay_apart():
    pool = items([embeddings(1, 3, replicates=2)])
    answer = next_training_set("replace", pool, np.array([1, 0, 1, 0, 1, 1], bool), None, None)
    assert [list(rows) for rows in replicate_rows(answer)] == [[0, 1], [2, 3]]
    real = fixed_real(items([embeddings(0, 9, replicates=2)]), 4, np.random.default_rng(0))
    assert [len(rows) for rows in replicate_rows(real)] == [4, 4]
