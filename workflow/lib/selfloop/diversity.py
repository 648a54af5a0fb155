"""How many different items are there, as a number that needs no reference."""

import numpy as np

LARGEST = 8192  # the largest matrix whose eigenvalues are computed: half a gigabyte, minutes


def vendi_score(features: np.ndarray) -> tuple[float, int]:
    """Return (Vendi score, items that it is of): exp of the entropy of the eigenvalues of K / n, between 1 and n.

    Friedman and Dieng 2023, definition 3.1, with the cosine kernel K_ij = x_i . x_j / (|x_i| |x_j|): 1 when all items
    point the same way, n when all are orthogonal. ``features`` N x d. The n x n matrix X X' / n and the d x d matrix
    X' X / n of normalised rows have the same eigenvalues above 0: the smaller one is taken. Where N and d are both
    above 8,192, the first 8,192 items are. A row of zeros has no direction; it counts as like other rows of zeros
    and unlike all else.
    """
    n, d = features.shape
    n = min(n, LARGEST) if d > LARGEST else n
    features = features[:n]
    values, zeros = (_gram_of_columns if d < n else _gram_of_rows)(features)
    shares = np.clip(np.linalg.eigvalsh(values / n), 0.0, None)
    shares = np.append(shares, zeros / n)
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares)))), n


def _gram_of_columns(features):
    """Return (X'X float64 d x d of normalised rows, number of rows of zeros) without a float64 copy of the whole."""
    d = features.shape[1]
    total, zeros, step = np.zeros((d, d)), 0, max(64, 2**20 // d)
    for start in range(0, len(features), step):
        rows, without = _normalised(features[start : start + step])
        total += rows.T @ rows
        zeros += without
    return total, zeros


def _gram_of_rows(features):
    rows, zeros = _normalised(features)
    return rows @ rows.T, zeros


def _normalised(features):
    rows = features.astype(np.float64)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    zeros = largest == 0
    rows /= np.where(zeros, 1.0, largest)[:, None]  # neither overflow nor underflow in the squares
    rows /= np.where(zeros, 1.0, np.sqrt(np.einsum("nd,nd->n", rows, rows)))[:, None]
    return rows, int(zeros.sum())
