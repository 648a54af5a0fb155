"""summary.csv and summary.html: means over seeds, paired differences, what is absent."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from selfloop.errors import UserError
from selfloop.metrics_table import Row
from selfloop.statistics import Bootstrap, t_interval
from selfloop.summary import COLUMNS, _estimate, page, summarise, write_summary

SCRIPT = Path(__file__).resolve().parents[2] / "workflow/scripts/summarize.py"


def rows(arm, values, metric="fd", generation=2, space="pixels", first_seed=0):
    """Rows of one arm, a value for each seed from ``first_seed`` on; None stands for a chain without that row."""
    return [Row(arm, seed, generation, metric, value, 10, 10, space, "")
            for seed, value in enumerate(values, first_seed) if value is not None]  # fmt: skip


def entries(table, control="main"):
    found = summarise(table, control)
    assert all(tuple(entry) == COLUMNS for entry in found)
    return {(e["arm"], e["generation"], e["metric"]): e for e in found}


def test_means_and_paired_differences():
    """Seeds differ by 10, the arms by 1, 2 and 4: the difference is free of the seeds."""
    main, greedy = [10.0, 20.0, 30.0], [11.0, 22.0, 34.0]
    found = entries(rows("main", main) + rows("greedy", greedy))
    one, other = found["main", 2, "fd"], found["greedy", 2, "fd"]
    assert (one["n_seeds"], one["mean"], one["sd"]) == (3, 20, 10)
    assert one["se"] == pytest.approx(10 / math.sqrt(3), rel=1e-15)
    assert [one[key] for key in COLUMNS[10:]] == [None] * 7, "the control has no difference from itself"
    differences = np.array([1.0, 2.0, 4.0])
    assert (other["control"], other["n_pairs"], other["n_unpaired"]) == ("main", 3, 0)
    assert other["difference"] == pytest.approx(7 / 3, rel=1e-15)
    assert (other["t_low"], other["t_high"]) == t_interval(differences)
    assert (other["bootstrap_low"], other["bootstrap_high"]) == Bootstrap().mean(differences)


def test_one_seed_has_no_spread_and_no_interval():
    found = entries(rows("main", [1.0]) + rows("greedy", [3.0]))["greedy", 2, "fd"]
    assert (found["mean"], found["n_pairs"], found["difference"]) == (3, 1, 2)
    assert [found[key] for key in ("sd", "se", "bootstrap_low", "bootstrap_high", "t_low", "t_high")] == [None] * 6


def test_a_seed_of_one_arm_alone_is_dropped_and_counted():
    table = rows("main", [1.0, 2.0, None, math.nan]) + rows("greedy", [2.0, None, 7.0, 9.0])
    found = entries(table)["greedy", 2, "fd"]
    assert (found["n_seeds"], found["mean"]) == (3, 6), "its own mean keeps all its seeds"
    assert (found["n_pairs"], found["n_unpaired"], found["difference"]) == (1, 3, 1)


def test_a_generation_or_metric_that_the_control_lacks():
    found = entries(rows("main", [1.0, 2.0]) + rows("greedy", [1.0, 2.0], generation=3) + rows("greedy", [0.5], "gs"))
    for key in (("greedy", 3, "fd"), ("greedy", 2, "gs")):
        assert found[key]["n_pairs"] is None and found[key]["difference"] is None
    nothing = entries(rows("main", [math.nan]) + rows("greedy", [math.nan]))["greedy", 2, "fd"]
    assert (nothing["n_seeds"], nothing["mean"], nothing["n_pairs"], nothing["difference"]) == (0, None, 0, None)


def test_another_control_and_none():
    table = rows("main", [1.0, 2.0]) + rows("greedy", [3.0, 5.0])
    assert entries(table, "greedy")["main", 2, "fd"]["difference"] == -2.5
    with pytest.raises(UserError, match=r"report\.control: no arm 'gredy' in the metrics \(has: main, greedy\)"):
        summarise(table, "gredy")


def test_as_a_program(tmp_path):
    path = tmp_path / "metrics.csv"
    lines = [f"{arm},{seed},{g},{metric},{value + seed},8,8,{space},\n"
             for arm, value in (("main", 1.5), ("a<b", 2.5)) for seed in (0, 1, 2) for g in (1, 2)
             for metric, space in (("fd", "pixels"), ("share_g0", ""), ("gs", "pixels"))]  # fmt: skip
    path.write_text("arm,seed,generation,metric,value,n,n_reference,space,distance\n" + "".join(lines))
    outputs = []
    for name in ("first", "second"):
        files = [tmp_path / f"{name}.csv", tmp_path / f"{name}.html"]
        command = [sys.executable, SCRIPT, "--metrics", path, "--output", files[0], "--page", files[1]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append([file.read_text() for file in files])
    assert outputs[0] == outputs[1], "same numbers, same bytes"
    found = list(csv.DictReader(outputs[0][0].splitlines()))
    assert len(found) == 12 and tuple(found[0]) == COLUMNS
    assert found[0]["t_low"] == "" and found[6]["difference"] == "1.0"
    text = outputs[0][1]
    assert "a&lt;b" in text and "a<b" not in text and "main (control)" in text
    assert "<td>2.50 ± 0.58" in text and "<td>3.50 ± 0.58<small>" in text and "share_g0" not in text
    assert "<h1>Generation 2</h1>" in text and "Seeds: 3." in text


def test_the_page_marks_what_excludes_zero():
    table = rows("main", [1.0, 2.0, 3.0]) + rows("up", [11.0, 12.1, 12.9]) + rows("noise", [0.0, 3.0, 3.5])
    text = page(summarise([*table, *rows("same", [1.0, 2.0, 3.0])], "main"))
    assert text.count("<strong>+10") == 1 and "<span>+0.167 [" in text and "<small>the same</small>" in text
    assert "up to" not in text
    assert "only one of two arms has are left out of their difference: up to 1." in page(
        summarise(rows("main", [1.0, 2.0, 3.0]) + rows("a", [1.0, 2.0]), "main")
    )
    assert "nothing here can be told from chance" in page(summarise(rows("main", [1.0]), "main"))


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (1.3068, 0.01979, "1.307 ± 0.020"),
        (-250.4, 37.2, "-250 ± 37"),
        (1234.5, 678.9, "1234 ± 679"),
        (-0.004059, 3.883e-5, "-0.004059 ± 0.000039"),
        (1e-9, 2e-10, "1e-09 ± 2e-10"),
        (0.0, 0.0, "0 ± 0"),
        (86.92, None, "86.92"),
    ],
)
def test_a_mean_has_the_decimals_of_its_error(mean, error, text):
    assert _estimate(mean, error) == text


def test_none_is_an_empty_field(tmp_path):
    write_summary(tmp_path / "summary.csv", summarise(rows("main", [0.1 + 0.2]), "main"))
    line = (tmp_path / "summary.csv").read_text().splitlines()[1]
    assert line == "main,2,fd,pixels,,1,0.30000000000000004,,,main,,,,,,,"
