"""`selfloop check`: it passes what is right, and says of each wrong plug-in what is wrong."""

import json
from pathlib import Path

import pytest

from selfloop.check import check_plugin, guess_kind
from selfloop.cli import main
from selfloop.errors import UserError

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins"

GENERATOR = """
import numpy as np
from selfloop.seeds import normal
def train(samples, *, seed, run, steps=4):
    state = run.load_checkpoint() or {"step": 0, "w": np.zeros(3)}
    for step in range(state["step"], steps):
        w = state["w"] + step
        state = {"step": step + 1, "w": w}
        run.progress(step + 1, steps)
        run.save_checkpoint(state)
    return {"w": state["w"]}
def load(weights, *, shape, gain=40.0):
    def sample(seeds):
        return (128 + gain * normal(seeds, tuple(shape))).clip(0, 255).astype(np.uint8)
    return sample
"""
EMBEDDER = """
import numpy as np
EXTRACTOR, PREPROCESSING = "mean", "none"
def fit(images, labels, *, seed, power=1.0):
    return {"mean": images.mean(axis=0, dtype=np.float64)}
def load(*, state):
    return lambda images: (images - state["mean"]).reshape(len(images), -1).astype(np.float32)
"""
DATASET = """
import numpy as np
def count(*, n=10):
    return {"train": n}
def load(*, seed, n=10):
    return {"train": {"samples": np.arange(n * 16).reshape(n, 1, 4, 4).astype(np.uint8), "labels": np.arange(n) % 3}}
"""
SELECTOR = """
import numpy as np
from selfloop.errors import UserError
from selfloop.selector import selector_script
def select(pool, reference, n, rng, *, power=1.0):
    return rng.permutation(len(pool))[:n]
if __name__ == "__main__":
    selector_script(select)
"""


@pytest.fixture
def wrong_lines(tmp_path):
    """Return a function that checks a text with one replacement made and gives the WRONG lines."""

    def check(text, old="", new="", **arguments):
        assert old in text
        path = tmp_path / "mine.py"
        path.write_text(text.replace(old, new))
        lines = [text for good, text in check_plugin(path, **arguments) if not good]
        assert not any("\n" in line for line in lines)
        return [line.replace(f"{tmp_path}/", "") for line in lines]

    return check


SMALL = {"block_out_channels": [8, 16], "attention": [False, False], "layers_per_block": 1, "norm_num_groups": 8,
         "nimg": 320, "batch_size": 32, "warmup_steps": 2, "learning_rate": 0.01, "checkpoint_every": 4}  # fmt: skip
CONDITIONAL = """
import numpy as np
from selfloop.seeds import normal
def train(samples, *, labels):
    return {"w": np.zeros(3), "class_counts": np.bincount(labels)}
def load(weights, *, shape):
    def sample(seeds, labels):
        noise = 40 * normal(seeds, tuple(shape))
        return (128 + noise + 20 * labels[:, None, None, None]).clip(0, 255).astype(np.uint8)
    return sample
"""
KINDS = {"generator": GENERATOR, "embedder": EMBEDDER, "dataset": DATASET, "selector": SELECTOR}


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_a_right_plugin_has_no_wrong_line(wrong_lines, text):
    assert wrong_lines(text) == []


@pytest.mark.parametrize(
    ("name", "kind", "params"),
    [
        ("datasets/digits", "dataset", {}),
        ("datasets/normal", "dataset", {"n": 20, "replicates": 3, "d": 2, "heldout": 5}),
        ("generators/gaussian", "generator", {}),
        ("generators/ddpm", "generator", SMALL),
        ("generators/ddpm", "generator", SMALL | {"num_classes": 4}),
        ("embedders/pixels", "embedder", {}),
        ("embedders/classifier", "embedder", {"nimg": 640}),
    ],
)
def test_shipped_plugins_pass(name, kind, params):
    path = PLUGINS / f"{name}.py"
    assert guess_kind(path) == kind
    sampling = {"steps": 3} if "ddpm" in name else {}
    findings = list(check_plugin(path, params=params, sampling=sampling))
    assert len(findings) > 3 and all(good for good, _ in findings)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('return {"w"', 'return state["w"] or {"w"', "mine.py:11: ValueError: The truth value of an array with more "
         "than one element is ambiguous. Use a.any() or a.all()"),
        ('{"w": state["w"]}', "{}", "train's weights must be a dict of arrays with at least one, not dict"),
        ('state["w"]}', 'state["w"] * np.nan}', "train's weights: 'w' has values that are not finite"),
        ("+ step\n", "+ np.random.rand()\n", "train: two runs with one seed give other weights"),
        ('range(state["step"], steps)', "range(steps)", "train: a run that goes on from a checkpoint gives other "
         "weights than an uninterrupted one"),
        (".astype(np.uint8)", "", "sample answers float64 (12, 1, 8, 8) for 12 seeds, not uint8 (12, 1, 8, 8)"),
        ("normal(seeds, tuple(shape))", "np.random.standard_normal((len(seeds), *shape))",
         "sample: two calls with the same seeds differ"),
        ("128 +", "128 + 10 * np.arange(len(seeds))[:, None, None, None] +", "sample: an item depends on the batch it "
         "is made in (draw its noise from its own seed, selfloop.seeds.normal)"),
        ("normal(seeds, tuple(shape))", "normal(seeds * 0, tuple(shape))", "sample: other seeds give the same items"),
        ("run, steps=4", "run, **params", "mine.py:4: train() takes any name (*args or **kwargs); name each parameter, "
         "with its default"),
        ("def load(weights", "def load_(weights", "mine.py: no function 'load'; a generator plug-in defines "
         "train(samples, *, labels, replicate, seed, device, precision, compile, run, team, ...) and "
         "load(weights, *, shape, model, device, precision, compile, ...)"),
    ],
)  # fmt: skip
def test_wrong_generators(wrong_lines, old, new, expected):
    assert expected in wrong_lines(GENERATOR, old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        (', "class_counts": np.bincount(labels)', "", ["load: its sampler takes labels, so train() must return "
         "class_counts, int64[K], with the weights: the items of each class in the training set"]),
        ("20 * labels", "0 * labels", ["sample: the label makes no difference"]),
    ],
)  # fmt: skip
def test_conditional_generators(wrong_lines, old, new, expected):
    assert wrong_lines(CONDITIONAL, old, new) == expected


def test_a_closed_form_generator_without_replicates(wrong_lines):
    text = (PLUGINS / "generators" / "gaussian.py").read_text()
    expected = ["sample: the replicate makes no difference"]
    assert wrong_lines(text, "np.zeros(len(seeds), int) if replicate is None else np.asarray(replicate)",
                       "np.zeros(len(seeds), int)") == expected  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"mean": images', '"mean": np.random.rand() + images', "fit: two fits with one seed give other states"),
        (".astype(np.float32)", "", "embed answers float64 (48, 64) for 48 images, not float32 (48, d)"),
        (".astype(np.float32)", ".astype(np.float32).tolist()", "embed answers list, not a numpy array"),
        ("images - state", "images / 0.0 - state", "embed: the features of 48 images are not finite"),
        ('images - state["mean"]', "images - images.mean(axis=0)",
         "embed: an image's features depend on the batch it is in (evaluation mode?)"),
        ("images - state", "images + np.random.rand() - state", "embed: two calls differ"),
        ('images - state["mean"]', "images * 0", "embed: all images have the same features"),
        ('(images - state["mean"])', "images.__imul__(2)", "embed: changes the images it is given; work on a copy"),
        ("def load", "def describe():\n    return {'name': 'mine'}\ndef load",
         "describe answers {'name': 'mine'}, not a dict of extractor and preprocessing, both text"),
        (", PREPROCESSING", ", OTHER", "mine.py: no text constant PREPROCESSING; it is recorded beside every "
         "embedding of the embedder"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_wrong_embedders(wrong_lines, old, new, expected):
    assert expected in wrong_lines(EMBEDDER, old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('{"train": {', '{"training": {', "load must return a dict with 'train' and, if it has one, 'heldout'"),
        (".astype(np.uint8)", "",
         "train: samples are int64 (10, 1, 4, 4), not uint8 N x C x H x W or float64 N x d or int32 N x L"),
        ("np.arange(n) % 3", "np.arange(n - 1)",
         "train: labels are int64 (9,), not one whole number for each of 10 samples"),
        ("np.arange(n) % 3", "np.arange(n) - 1", "train: labels: -1 is negative"),
        ('"labels":', '"label":', "train: unknown key 'label' (known: samples, labels, replicate)"),
        ("np.arange(n * 16)", "np.random.permutation(n * 16)", "load: two calls with one seed differ"),
        ("np.arange(n * 16)", "(np.arange(n * 16) + seed)", "load: the images depend on the seed; the workflow "
         "chooses, the plug-in gives the whole set in one order"),
        ('"train": n}', '"train": 11}', "count says {'train': 11}, load gives {'train': 10} (items per replicate)"),
        ("reshape(n, 1, 4, 4).astype(np.uint8)", "reshape(n, 16).astype(float)",
         "load: another seed gives the same draws"),
        ("reshape(n, 1, 4, 4).astype(np.uint8)", "reshape(n, 16) / np.zeros(16)", "train: 10 samples are not finite"),
        ('"labels": np.arange(n) % 3', '"replicate": np.arange(n) % 3',
         "train: replicate: 0 .. R-1 must have the same number of items each"),
        ("import numpy as np", "import numpi as np", "mine.py:2: ModuleNotFoundError: No module named 'numpi', while "
         "the dataset plug-in was imported"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_wrong_datasets(wrong_lines, old, new, expected):
    assert expected in wrong_lines(DATASET, old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rng.permutation(len(pool))", "np.random.permutation(len(pool))", "two runs with one seed choose differently"),
        ("[:n]", "[: n - 1]", "--n all: "),
        ("return rng", "return 1 / 0 or rng", "ZeroDivisionError"),
        ("    selector_script(select)", "    pass", "ended without writing its --output"),
        ("n, rng, *", "n, rng, *, *", "mine.py: is no Python: line 5, "),
    ],
)
def test_wrong_selectors(wrong_lines, old, new, expected):
    lines = wrong_lines(SELECTOR, old, new)
    if expected == "--n all: ":
        assert lines[0].startswith(expected) and "the rule chose 59 items, not 60" in lines[0]
    else:
        assert any(expected in line for line in lines)


def test_a_selector_that_ignores_its_parameters(tmp_path):
    """Without selfloop's command line: it takes the first n whatever the parameters are."""
    path = tmp_path / "first.py"
    path.write_text("""
import sys
import pyarrow as pa
import pyarrow.parquet as pq
options = sys.argv[1:]
pool = pa.concat_tables([pq.read_table(f) for f in options[1 : options.index("--reference")]])
n = options[options.index("--n") + 1]
n = len(pool) if n == "all" else int(n)
answer = pa.table({"sample_id": pool["sample_id"], "selected": [i < n for i in range(len(pool))]})
pq.write_table(answer, options[options.index("--output") + 1])
""")
    findings = list(check_plugin(path, kind="selector"))
    wrong = [text for good, text in findings if not good]
    assert len(findings) == 7 and len(wrong) == 2
    assert wrong[0].startswith("--n 61 of 60: must end with exit status 2 and one line on stderr, but: ")
    assert wrong[1] == "an unknown parameter: accepted; it must end with exit status 2 and one line on stderr"


def test_a_selector_in_another_language(tmp_path):
    script = tmp_path / "first.sh"
    script.write_text("#!/bin/sh\necho 'cannot do it' >&2\nexit 1\n")
    assert guess_kind(script) == "selector"
    (finding,) = check_plugin(script)
    assert finding.text == f"--n all: {script}: its run bit is not set; run 'chmod +x {script}'"
    script.chmod(0o755)
    (finding,) = check_plugin(script)
    assert not finding.good and finding.text == f"--n all: {script}: failed with exit status 1: cannot do it"


def test_the_command(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(DATASET)
    assert main(["check", str(path), "--params", json.dumps({"n": 7})]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok    load: a split 'train'",
        "ok    train: uint8 7 x 1 x 4 x 4, labels 0..2",
        "ok    load: the same again",
        "ok    load: the same for every seed (a finite set)",
        "ok    count: {'train': 7}, as load gives",
    ]
    path.write_text(DATASET.replace(".astype(np.uint8)", ""))
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith("WRONG train: samples are int64")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["no.py"], "ERROR: no.py: no such file\n"),
        (["--params", "{n: 3}"], "ERROR: --params: not JSON (Expecting property name enclosed in double quotes: line 1 "
         "column 2 (char 1))\n"),
        (["--params", "3"], "ERROR: --params: 3 is not a JSON object; write e.g. '{\"size\": 32}'\n"),
        (["--params", '{"m": 3}'], "ERROR: --params: unknown parameter 'm' (known: n)\n"),
    ],
)  # fmt: skip
def test_mistakes_in_the_call(tmp_path, capsys, arguments, expected):
    (tmp_path / "mine.py").write_text(DATASET)
    plugin = [] if arguments == ["no.py"] else [str(tmp_path / "mine.py")]
    assert main(["check", *plugin, *arguments]) == 2
    assert capsys.readouterr().err == expected


def test_a_file_that_is_no_plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def f():\n    pass\n")
    with pytest.raises(UserError) as caught:
        guess_kind(path)
    expected = f"{path}: cannot tell what kind of plug-in this is (no train, no load, no __main__); give --kind"
    assert str(caught.value) == expected


def test_help_names_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["check", "--help"])
    assert caught.value.code == 0 and "2 for a mistake in the call" in " ".join(capsys.readouterr().out.split())
