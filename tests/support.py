"""What several test files say in the same words."""

from pathlib import Path

import pytest

from selfloop.errors import UserError
from selfloop.metrics_table import Row
from selfloop.plugins import load_plugin

PLUGINS = Path(__file__).parents[1] / "workflow/plugins"


def dataset(name: str):
    """Load a shipped dataset plug-in."""
    return load_plugin(PLUGINS / "datasets" / f"{name}.py", "dataset")


def message(function, **params) -> str:
    """Return the one line of the UserError that a call ends in."""
    with pytest.raises(UserError) as caught:
        function(**params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows(metric, values, arm="main", seed=0, space="pixels", distance="", n=100, n_reference=None) -> list[Row]:
    """Return rows of metrics.csv, a value for each generation from 1."""
    return [
        Row(arm, seed, g, metric, value, n, n_reference, space, distance) for g, value in enumerate(values, start=1)
    ]


def line(ax, position) -> tuple[list, list[float]]:
    """Return x and y of a line of some axes."""
    x, y = ax.lines[position].get_data()
    return list(x), [float(value) for value in y]
