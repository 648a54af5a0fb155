"""The Vendi score: against the authors' package on both of its ways, and closed forms."""

import numpy as np
import pytest
from vendi_score import vendi

from selfloop import diversity
from selfloop.diversity import vendi_score

pytestmark = pytest.mark.filterwarnings("ignore:Please import `csr_matrix`")  # of the vendi-score package


@pytest.mark.parametrize(("n", "d"), [(200, 8), (30, 30), (25, 60), (40, 1), (2000, 16)])
def test_against_the_authors_package(n, d):
    x = (np.random.default_rng(n).standard_normal((n, d)) + 0.5).astype(np.float32)
    score, items = vendi_score(x)
    assert items == n
    assert score == pytest.approx(vendi.score_X(x.astype(np.float64)), rel=1e-9)
    assert score == pytest.approx(vendi.score_dual(x.astype(np.float64)), rel=1e-9)


def test_against_the_kernel_itself():
    """Entropy of the eigenvalues of the n x n cosine matrix, by scikit-learn's and scipy's own functions."""
    from scipy.linalg import eigvalsh
    from scipy.stats import entropy
    from sklearn.metrics.pairwise import cosine_similarity

    x = np.random.default_rng(1).standard_normal((70, 12))
    expected = np.exp(entropy(np.clip(eigvalsh(cosine_similarity(x) / 70), 0, None)))
    assert vendi_score(x)[0] == pytest.approx(expected, rel=1e-9)


def test_closed_forms():
    assert vendi_score(np.tile([[3.0, -1.0]], (50, 1)))[0] == pytest.approx(1, rel=1e-12), "all alike"
    assert vendi_score(np.eye(6))[0] == pytest.approx(6, rel=1e-12), "all orthogonal"
    shares = np.array([0.5, 0.25, 0.25])
    groups = np.repeat(np.eye(3), [20, 10, 10], axis=0) * np.arange(1, 41)[:, None]
    assert vendi_score(groups)[0] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-12)
    # two unit vectors at cosine c: eigenvalues (1 + c) / 2 and (1 - c) / 2
    p = np.array([0.8, 0.2])
    assert vendi_score(np.array([[1, 0], [0.6, 0.8]]))[0] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-12)


def test_zeros_are_a_kind_of_their_own():
    """Black images have no direction: two of four items, alike, beside two that are orthogonal."""
    p = np.array([0.5, 0.25, 0.25])
    for d in (2, 9):
        x = np.zeros((4, d))
        x[0, 0] = x[1, 1] = 7.0
        assert vendi_score(x)[0] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-12)
    assert vendi_score(np.zeros((3, 5)))[0] == pytest.approx(1)


def test_scale_does_not_matter():
    x = np.random.default_rng(2).standard_normal((40, 5))
    for factor in (1e-200, 1e200):
        assert vendi_score(x * factor)[0] == pytest.approx(vendi_score(x)[0], rel=1e-9)


def test_many_items_need_no_matrix_of_them(monkeypatch):
    """65,536 items in 16 dimensions: eigenvalues of a 16 x 16 matrix alone (65,536 squared would be 34 GB)."""
    sizes = []
    eigenvalues = np.linalg.eigvalsh
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda m: sizes.append(m.shape) or eigenvalues(m))
    score, items = vendi_score(np.random.default_rng(3).standard_normal((65536, 16)).astype(np.float32))
    assert sizes == [(16, 16)] and items == 65536
    assert score == pytest.approx(16, rel=1e-3), "the directions of a normal distribution are uniform"


def test_where_both_are_large_the_first_items_are_taken(monkeypatch):
    monkeypatch.setattr(diversity, "LARGEST", 20)
    x = np.random.default_rng(4).standard_normal((50, 30))
    score, items = vendi_score(x)
    assert items == 20 and score == pytest.approx(vendi.score_X(x[:20]), rel=1e-9)
    assert vendi_score(x[:, :20])[1] == 50
