"""Which of the named figures a run has data for: decided from its settings, before anything runs."""

from collections.abc import Mapping, Sequence

NAMES = ("fd", "gs", "entropy", "entropy_gs", "trace_gs", "real_share", "pca")
_FEWEST = 4  # points of a correlation; with three, Fisher's interval of r is all of -1..1


def why_not(name: str, configs: Sequence[Mapping], images: bool, measured: int) -> str:
    """Return why a figure has nothing to show, "" where it has.

    ``configs`` are the resolved settings of all chains; ``images`` says whether any chain's samples are images;
    ``measured`` is the number of generations that are measured, one that chains share counted once.
    """
    if name in ("fd", "gs", "entropy", "real_share") and max(config["generations"] for config in configs) < 2:
        return "there is one generation, no curve over the generations"
    if name in ("gs", "entropy", "entropy_gs", "trace_gs") and not any(c["evaluate"]["neighbours"] for c in configs):
        return "evaluate.neighbours names no feature space"
    if name in ("entropy_gs", "trace_gs") and measured < _FEWEST:
        return f"there are fewer than {_FEWEST} generations to correlate"
    if name == "real_share" and not any(_has_real_items(config["training_set"]) for config in configs):
        return "no training set after the first has real items (paradigm replace, real_fraction 0)"
    if name == "pca" and not images:
        return "the samples are numbers of a closed-form family, not images"
    return ""


def _has_real_items(training_set: Mapping) -> bool:
    return training_set["paradigm"] != "replace" or training_set["real_fraction"] > 0


def spread_generations(last: int, most: int = 5) -> list[int]:
    """Return at most ``most`` generations from 1 to ``last``, evenly spread, with the first and the last."""
    if last <= most:
        return list(range(1, last + 1))
    return [1 + round(k * (last - 1) / (most - 1)) for k in range(most)]
