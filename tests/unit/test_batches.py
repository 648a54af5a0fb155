"""Batches and shards: whole batches, every row once, answers of the right length."""

import numpy as np
import pytest

from selfloop.batches import in_batches, shard_rows
from selfloop.errors import UserError


@pytest.mark.parametrize(("n", "batch", "shards"), [(10, 3, 1), (10, 3, 4), (1200, 256, 2), (256, 256, 1), (7, 2, 3)])
def test_shards_cover_every_row_once_and_begin_at_batches(n, batch, shards):
    parts = [shard_rows(n, k, shards, batch) for k in range(shards)]
    assert np.array_equal(np.concatenate(parts), np.arange(n))
    assert all(len(part) and part[0] % batch == 0 for part in parts)


def test_more_shards_than_batches_is_an_error():
    with pytest.raises(UserError, match="10 items make 4 batches of 3, so there can be at most 4 shards"):
        shard_rows(10, 0, 5, 3)


def test_every_batch_is_full_and_the_padding_is_dropped():
    sizes = []

    def double(x, *, bias):
        sizes.append(len(x))
        return 2 * x + bias

    x = np.arange(10.0)
    answer = in_batches(double, {"x": x, "bias": np.ones(10)}, 4)
    assert np.array_equal(answer, 2 * x + 1) and sizes == [4, 4, 4]


def test_a_plugin_that_answers_too_few_is_told():
    with pytest.raises(UserError, match="answered 3 items for a batch of 4 images"):
        in_batches(lambda x: x[1:], {"images": np.zeros(8)}, 4)
