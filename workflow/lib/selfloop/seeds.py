"""Random streams: every one is derived from (seed, stage, generation[, replicate]), never from the arm.

Two arms with the same seed therefore see the same noise where they do the same thing: they are paired.
"""

import hashlib
import math

import numpy as np

_SEED_BITS = 63  # fits a non-negative int64, as Parquet, torch and numpy take it
_STRIDE = 0xD1342543DE82EF95  # between the positions of a stream


def derive(seed: int, stage: str, generation: int, *parts: int | str) -> int:
    """Return the stream seed, in [0, 2**63), of one stage of one generation.

    ``parts`` name streams within the stage, such as a replicate. SHA-256 of the plain text, so that any
    language can derive the same number: ``"seed/stage/generation[/part...]"``, first 8 bytes, big endian,
    top bit cleared.
    """
    text = "/".join(str(part) for part in (seed, stage, generation, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & (2**_SEED_BITS - 1)


def item_seeds(stream: int, n: int) -> np.ndarray:
    """Return one seed per generated item: int64[n], distinct streams, item i independent of n."""
    counters = np.arange(n, dtype=np.uint64)
    return (_mix(_mix(counters + np.uint64(1)) ^ np.uint64(stream)) >> np.uint64(1)).astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014) on uint64, a bijection."""
    with np.errstate(over="ignore"):
        x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def uniform(seeds: np.ndarray, shape: tuple[int, ...], step: int = 0) -> np.ndarray:
    """Return float64[B, *shape] in (0, 1): a pure function of (seed, step, position in the shape).

    One stream per item (int64[B] ``seeds``), so that an item does not depend on the batch it is made in.
    """
    with np.errstate(over="ignore"):
        key = _mix(_mix(np.asarray(seeds).astype(np.uint64)) + np.uint64(step))
        positions = np.arange(int(np.prod(shape)), dtype=np.uint64)
        bits = _mix(_mix(key[:, None] + positions[None, :] * np.uint64(_STRIDE)))
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5).reshape(len(key), *shape) * 2.0**-53


def normal(seeds: np.ndarray, shape: tuple[int, ...], step: int = 0) -> np.ndarray:
    """Return standard normal float64[B, *shape], one stream per item (Box and Muller 1958)."""
    size = int(np.prod(shape))
    u = uniform(seeds, (2, (size + 1) // 2), step)
    radius = np.sqrt(-2.0 * np.log(u[:, 0]))
    angle = 2.0 * np.pi * u[:, 1]
    pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs[:, :size].reshape(len(u), *shape)


def normal_torch(seeds, shape: tuple[int, ...], step: int = 0):
    """Return what ``normal`` does as float32 on the device of ``seeds`` (int64[B], torch), without leaving it.

    The integers are the same; what follows agrees to the rounding of the device's logarithm and cosine.
    """
    import torch

    size = math.prod(shape)
    half = (size + 1) // 2
    key = _mix_torch(_mix_torch(seeds) + step)
    positions = torch.arange(2 * half, device=seeds.device) * _signed(_STRIDE)
    bits = _mix_torch(_mix_torch(key[:, None] + positions[None, :]))
    u = (((bits >> 11) & ((1 << 53) - 1)).double() + 0.5) * 2.0**-53
    radius = torch.sqrt(-2.0 * torch.log(u[:, :half]))
    angle = 2.0 * math.pi * u[:, half:]
    pairs = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    return pairs[:, :size].reshape(len(seeds), *shape).float()


def _mix_torch(x):
    """``_mix`` on int64, whose sums and products wrap like uint64's; its shifts do not, so the sign is masked off."""
    x = x + _signed(0x9E3779B97F4A7C15)
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _signed(0x94D049BB133111EB)
    return x ^ ((x >> 31) & ((1 << 33) - 1))


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word
