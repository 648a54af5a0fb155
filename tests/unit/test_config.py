"""The config: schema and manual in step, arms merged, and everything wrong said at once, one line each."""

import copy
import inspect
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from selfloop.config import ConfigError, count_items, merge, nearest, read_yaml, resolve
from selfloop.errors import UserError
from selfloop.plugins import load_plugin
from selfloop.schema import checker, describe, filled, types_of, yaml_number
from selfloop.signatures import ANYTHING, READERS, parameters, syntax
from selfloop.signatures import given as given_names

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = read_yaml(ROOT / "workflow" / "schemas" / "config.schema.yaml")
DEFAULT = read_yaml(ROOT / "config.yaml")

FILES = {
    "digits.py": "def count(): return {'train': 1797}\ndef load(*, seed): pass\n",
    "folder.py": "def load(*, seed, path=None, size: int | None = None): pass\n",
    "split.py": "def count(*, n=50): return {'train': n, 'heldout': 20}\ndef load(*, seed, n=50): pass\n",
    "toy.py": "def train(samples, *, seed, width=16, rate=1e-3, betas=(0.9, 0.99), flip=False, name='a', decay=None):"
    " pass\ndef load(weights, *, shape, steps=10, sampler='ddpm'): pass\n",
    "other.py": "def train(samples, *, epochs=3): pass\ndef load(weights): pass\n",
    "long.py": "def train(samples, *, nimg: int | None = None, epochs=3): pass\ndef load(weights): pass\n",
    "guided.py": "def train(samples, *, num_classes: int | None = None): pass\n"
    "def load(weights, *, guidance_scale=1.0): pass\n",
    "fitted.py": "def fit(images, labels, *, seed, device, epochs=5): pass\ndef load(*, state): pass\n",
    "pixels.py": "def load(): pass\n",
    "random.py": "def select(pool, reference, n, rng): pass\n",
    "keep_all.py": "def select(pool, reference, n, rng): pass\n",
    "greedy.py": "def choose(pool, reference, n, rng, *, table, start: int | None = None): pass\n"
    "if __name__ == '__main__': selector_script(choose)\n",
    "broken.py": "def select(:\n",
    "empty.py": "x = 1\n",
    "anything.py": "def load(*, seed, **params): pass\n",
    "rule.R": "#!/usr/bin/env Rscript\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def find(folder):
    return lambda name: folder / name if (folder / name).exists() else None


@pytest.fixture
def config():
    """A small valid config over the plug-ins of FILES."""
    return {
        "dataset": {"plugin": "digits.py", "heldout": 500},
        "training_set": {"size": 100},
        "generator": {"plugin": "toy.py", "params": {"width": 32}},
        "sampling": {"params": {"steps": 5}},
        "embedder": {"spaces": {"features": {"plugin": "fitted.py"}, "pixels": {"plugin": "pixels.py"}}},
        "selection": {"script": "random.py", "space": "features"},
        "evaluate": {"distribution": ["features"], "neighbours": ["features", "pixels"]},
    }


@pytest.fixture
def run(config, find):
    """Resolve the config changed by differences; the data set has 1,797 items unless ``counts`` says otherwise."""

    def resolved(*differences, counts=lambda path, params: {"train": 1797}, hardware=None):
        merged = config
        for difference in differences:
            difference = yaml.safe_load(difference) if isinstance(difference, str) else difference
            arms = difference.pop("arms", None)
            merged = merge(merged, difference) | ({"arms": arms} if arms is not None else {})
        return resolve(merged, schema=SCHEMA, find=find, count_items=counts, hardware=hardware).chains

    return resolved


@pytest.fixture
def wrong(run):
    """Return the lines of the error that a difference must raise."""

    def lines(*differences, **keywords):
        with pytest.raises(ConfigError) as caught:
            run(*differences, **keywords)
        return str(caught.value).splitlines()

    return lines


# ---- schema, manual and page in step ----


def schema_keys(schema, path=()):
    """Yield (path, schema) of every key, through sections and named sections."""
    for name, child in schema.get("properties", {}).items():
        yield (*path, name), child
        yield from schema_keys(child, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from schema_keys(schema["additionalProperties"], (*path, "<name>"))


def test_schema_is_a_valid_json_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("path", "schema"), [(".".join(path), child) for path, child in schema_keys(SCHEMA)])
def test_every_key_is_described_closed_and_has_a_valid_default(path, schema):
    assert len(schema.get("description", "")) > 8, f"{path} has no description"
    if path != "embedder.spaces.<name>.plugin":
        assert "default" in schema, f"{path} has no default"
        assert not list(Draft202012Validator(schema).iter_errors(filled(schema["default"], schema))), path
    if "properties" in schema:
        assert schema["additionalProperties"] is False or path in ("embedder.spaces",), f"{path} is open"


def test_the_manual_names_every_key_in_the_order_of_the_schema():
    """null Slurm options and the examples of arms apart, config.yaml has every key, with the default of the schema."""
    default = filled({}, SCHEMA)
    manual = copy.deepcopy(DEFAULT)
    for stage in manual["resources"]:
        assert list(manual["resources"][stage]) == ["gpu", "mem_mb", "runtime"]
    manual["generator"]["params"], manual["sampling"]["params"] = {}, {}
    assert filled(manual, SCHEMA) == default, "config.yaml and the schema's defaults differ"
    assert set(DEFAULT) == set(SCHEMA["properties"])
    for section, values in DEFAULT.items():
        if "properties" in SCHEMA["properties"][section] and section != "resources":
            assert set(values) == set(SCHEMA["properties"][section]["properties"]), section


def test_the_manual_comments_every_key():
    sections = re.compile(r"^(dataset|training_set|generator|  params|sampling|embedder|selection|evaluate|report):$")
    stage = re.compile(r"^  (data|train_embedder|train|sample|embed|select|evaluate): ")
    inside = re.compile(r"^      (plugin|params): ")
    for line in (ROOT / "config.yaml").read_text().splitlines():
        if line.strip().startswith("#") or not line.strip() or sections.match(line) or line == "arms: {}":
            continue
        assert " # " in line or stage.match(line) or inside.match(line), f"no comment on: {line}"


def test_the_default_config_is_valid_with_the_shipped_plugins():
    chains = resolve(DEFAULT, schema=SCHEMA, find=lambda name: ROOT / name if (ROOT / name).exists() else None).chains
    assert [(chain.arm, chain.seed) for chain in chains] == [("main", 0)]


def test_the_manual_gives_every_parameter_of_the_shipped_generator():
    """Set, or, for class-conditional models, shown in a comment with its default (or "left out: none")."""
    tree = syntax(ROOT / DEFAULT["generator"]["plugin"])
    shown = dict(re.findall(r"^    # ([a-z_]+): (\[.*?\]|\S+)", (ROOT / "config.yaml").read_text(), re.MULTILINE))
    for reader, section in (("generator", "generator"), ("sampling", "sampling")):
        known, given = parameters(tree, reader), DEFAULT[section]["params"]
        assert set(given) <= set(known) <= set(given) | set(shown)
        for name in set(known) - set(given):
            default = known[name].default
            default = list(default) if isinstance(default, tuple) else default
            assert default is None or yaml.safe_load(shown[name]) == default, name


def test_the_page_is_made_from_the_schema():
    script = ROOT / "docs" / "make_configuration.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_page_tells_every_key():
    page = (ROOT / "docs" / "configuration.md").read_text()
    for path, schema in schema_keys(SCHEMA):
        if path[0] != "resources" and "properties" not in schema:
            assert f"`{'.'.join(path)}`" in page, path


# ---- merging ----


def test_merge_joins_mappings_and_replaces_everything_else():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 3}
    assert merge(base, {"a": {"y": [5]}, "c": 4}) == {"a": {"x": 1, "y": [5]}, "b": 3, "c": 4}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 3}, "merge changed its argument"


@pytest.mark.parametrize(
    ("section", "key"), [("dataset", "plugin"), ("generator", "plugin"), ("selection", "script"), ("space", "plugin")]
)
def test_merge_drops_the_params_of_a_replaced_plugin(section, key):
    base = {section: {key: "a.py", "params": {"x": 1}, "rest": 2}}
    assert merge(base, {section: {key: "b.py"}}) == {section: {key: "b.py", "params": {}, "rest": 2}}
    assert merge(base, {section: {key: "b.py", "params": {"y": 1}}})[section]["params"] == {"y": 1}
    assert merge(base, {section: {key: "a.py", "params": {"y": 1}}})[section]["params"] == {"x": 1, "y": 1}


def test_merge_drops_the_sampler_of_a_replaced_generator():
    base = {"generator": {"plugin": "a.py"}, "sampling": {"params": {"steps": 3}, "shards": 2}}
    assert merge(base, {"generator": {"plugin": "b.py"}})["sampling"] == {"params": {}, "shards": 2}
    merged = merge(base, {"generator": {"plugin": "b.py"}, "sampling": {"params": {"z": 1}}})
    assert merged["sampling"]["params"] == {"z": 1}


def test_merge_takes_an_empty_section_for_no_change_but_null_for_a_value():
    base = {"evaluate": {"n": 5}, "generator": {"params": {"clip": 1.0, "net": {"a": 1}}}}
    assert merge(base, {"evaluate": None}) == base
    assert merge(base, {"evaluate": {"n": None}})["evaluate"] == {"n": None}
    assert merge(base, {"generator": {"params": {"clip": None, "net": None}}})["generator"]["params"] == {
        "clip": None,
        "net": None,
    }


def test_a_space_that_is_null_is_taken_out(run):
    base = {"embedder": {"seed": 1, "spaces": {"a": {"plugin": "a.py"}, "b": {"plugin": "b.py"}}}}
    assert merge(base, {"embedder": {"spaces": {"a": None}}}) == {
        "embedder": {"seed": 1, "spaces": {"b": {"plugin": "b.py"}}}
    }
    assert list(base["embedder"]["spaces"]) == ["a", "b"], "merge changed its argument"
    arms = {"one": {"embedder": {"spaces": {"pixels": None}}, "evaluate": {"neighbours": ["features"]}}}
    main, one = run({"arms": arms})
    assert (list(main.config["embedder"]["spaces"]), list(one.config["embedder"]["spaces"])) == (
        ["features", "pixels"],
        ["features"],
    )


trees = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "plugin", "params"]), inner, max_size=4),
    max_leaves=12,
)
mappings = st.dictionaries(st.sampled_from(["a", "b", "generator"]), trees, max_size=3)


@settings(max_examples=200, deadline=None)
@given(mappings, mappings)
def test_merging_a_difference_twice_is_merging_it_once(base, difference):
    once = merge(base, difference)
    assert merge(once, difference) == once
    assert merge(base, {}) == base


# ---- chains ----


def test_chains_are_complete_and_ordered(run):
    chains = run("{seeds: [3, 1], arms: {z: {evaluate: {k: 2}}, a: {selection: {script: greedy.py}}}}")
    assert [(c.arm, c.seed) for c in chains] == [("main", 3), ("main", 1), ("z", 3), ("z", 1), ("a", 3), ("a", 1)]
    assert all(set(c.config) == set(SCHEMA["properties"]) - {"arms", "seeds"} for c in chains)
    assert [c.config["evaluate"]["k"] for c in chains] == [3, 3, 2, 2, 3, 3]
    assert chains[0].config is not chains[1].config
    assert chains[0].config["evaluate"] is not chains[2].config["evaluate"]


def test_nothing_is_left_open(run):
    chain = run("{evaluate: {n: null}, training_set: {size: 700.0}}")[0].config
    assert chain["training_set"]["n"] == chain["training_set"]["size"] == 700
    assert isinstance(chain["training_set"]["size"], int)
    assert (chain["evaluate"]["n"], chain["evaluate"]["kid_subset_size"]) == (700, 250)
    assert chain["evaluate"]["coverage_k"] == 5
    assert [space["fitted"] for space in chain["embedder"]["spaces"].values()] == [True, False]
    assert chain["resources"]["train"] == {"gpu": 0, "mem_mb": 4000, "runtime": 60}
    assert chain["embedder"]["spaces"]["pixels"]["params"] == {}


def test_paths_are_those_found(run, folder):
    chain = run({})[0].config
    assert chain["generator"]["plugin"] == str(folder / "toy.py")
    assert chain["selection"]["script"] == str(folder / "random.py")


def test_all_of_the_held_out_split_is_counted(run):
    chains = run("{dataset: {plugin: split.py, heldout: null}, training_set: {size: 30}}", counts=count_items)
    assert chains[0].config["dataset"]["heldout"] == 20
    assert chains[0].config["evaluate"]["kid_subset_size"] == 10


def test_balls_of_coverage_are_smaller_in_small_sets(run):
    for heldout, k in ((20, 5), (6, 5), (4, 3)):
        chain = run({"dataset": {"heldout": heldout}, "evaluate": {"k": 1}})[0].config
        assert chain["evaluate"]["coverage_k"] == k


def test_another_arm_is_the_control(run):
    arms = "{report: {control: greedy}, arms: {greedy: {generations: 2}}}"
    assert {chain.config["report"]["control"] for chain in run(arms)} == {"greedy"}


def test_an_arm_that_keeps_the_pool_has_the_n_of_the_rest(run):
    arms = "arms: {control: {training_set: {size: pool}, selection: {script: keep_all.py}}}"
    training_set = run(arms)[1].config["training_set"]
    assert (training_set["size"], training_set["n"]) == ("pool", 100)


@pytest.mark.parametrize(
    ("hardware", "difference", "expected"),
    [
        ({"cuda": False}, {}, ("cpu", "fp32")),
        ({"cuda": True, "bf16": True}, {}, ("cuda", "bf16")),
        ({"cuda": True, "bf16": False}, {}, ("cuda", "fp16")),
        ({"cuda": True, "bf16": True}, {"device": "cpu"}, ("cpu", "fp32")),
        ({"cuda": False}, {"precision": "bf16"}, ("cpu", "bf16")),
        (None, {}, ("auto", "auto")),
    ],
)
def test_auto_settings_follow_the_table(run, hardware, difference, expected):
    chain = run(difference, hardware=hardware)[0].config
    assert (chain["device"], chain["precision"]) == expected


def test_threads_follow_the_device_and_not_the_number_of_cores(run):
    stages = ("data", "train_embedder", "train", "sample", "embed", "select", "evaluate")
    assert run({"threads": {"train": 3}}, hardware={"cuda": False})[0].config["threads"] == dict.fromkeys(stages, 1) | {
        "train": 3
    }
    on_gpu = run({}, hardware={"cuda": True, "bf16": True})[0].config["threads"]
    assert on_gpu == dict.fromkeys(stages, 1) | {"select": 4, "evaluate": 4}


@pytest.mark.parametrize(
    ("cuda", "difference", "expected"),
    [
        (True, "generator: {plugin: long.py, params: {nimg: 1999999}}", False),
        (True, "generator: {plugin: long.py, params: {nimg: 2000000}}", True),
        (True, "generator: {plugin: long.py, params: {nimg: null, epochs: 20000}}", True),  # 100 items
        (True, "generator: {plugin: long.py, params: {nimg: null, epochs: 19999}}", False),
        (True, "{compile: true, generator: {plugin: long.py, params: {nimg: 1}}}", True),
        (False, "generator: {plugin: long.py, params: {nimg: 2000000}}", False),
    ],
)
def test_a_long_training_on_a_gpu_is_compiled(run, cuda, difference, expected):
    steps = {"sampling": {"params": {}}}
    assert run(steps, difference, hardware={"cuda": cuda, "bf16": True})[0].config["compile"] is expected


@pytest.mark.parametrize(("classes", "scale", "wrong"), [(None, 2.0, True), (None, 1.0, False), (10, 2.0, False)])
def test_guidance_without_classes_is_refused_before_anything_is_trained(run, classes, scale, wrong):
    generator = {"plugin": "guided.py", "params": {"num_classes": classes}}
    difference = {"generator": generator, "sampling": {"params": {"guidance_scale": scale}}}
    if not wrong:
        run(difference)
        return
    with pytest.raises(ConfigError) as caught:
        run(difference)
    expected = (
        "sampling.params.guidance_scale: 2.0 guides towards a class, and the model has none: set generator.params."
    )
    assert expected in str(caught.value)


@pytest.mark.parametrize("section", ["arms", "threads", "resources", "report", "sampling"])
def test_a_section_with_nothing_under_it_has_its_defaults(config, find, section):
    empty = resolve({**config, section: None}, schema=SCHEMA, find=find).chains
    absent = resolve({k: v for k, v in config.items() if k != section}, schema=SCHEMA, find=find).chains
    assert empty == absent
    params = {"dataset": {"plugin": "digits.py", "params": None}}
    assert resolve(config | params, schema=SCHEMA, find=find).chains[0].config["dataset"]["params"] == {}


# ---- everything wrong, at once ----


def test_everything_wrong_is_listed_once_sorted_by_arm_and_key(wrong):
    lines = wrong(
        """
        generations: 0
        trainig_set: {size: 3}
        training_set: {paradigm: replce}
        selection: {script: greedyy.py}
        arms:
          b: {evaluate: {k: 0}}
          a: {selection: {space: pixel}, evaluate: {kid_subset: 3}}
        """
    )
    assert lines == [
        "config.yaml: generations: 0 is not an integer from 1 to 1000",
        "config.yaml: selection.script: greedyy.py: no such file (did you mean 'greedy.py'?)",
        "config.yaml: trainig_set: unknown key (did you mean 'training_set'?)",
        "config.yaml: training_set.paradigm: 'replce' is not one of replace, accumulate, subsample "
        "(did you mean 'replace'?)",
        "config.yaml: arm a: evaluate.kid_subset: unknown key (did you mean 'kid_subsets'?)",
        "config.yaml: arm a: selection.space: 'pixel' is none of embedder.spaces (did you mean 'pixels'?)",
        "config.yaml: arm b: evaluate.k: 0 is not an integer >= 1",
    ]


def test_an_arm_that_mends_the_base_is_not_blamed(wrong):
    lines = wrong("{training_set: {paradigm: x}, arms: {a: {training_set: {paradigm: subsample}}}}")
    assert len(lines) == 1, lines
    assert "arm a" not in lines[0]


# A difference from the valid config of the fixture, and below it what the one line must say.
MISTAKES = """\
# what the schema says
{seeds: [0, 1, 0]}
    seeds: 0 is given twice
{seeds: []}
    seeds: [] is not a non-empty list; each item is an integer from 0 to 2147483647
{seeds: [0, -1]}
    seeds[1]: -1 is not an integer from 0 to 2147483647
{seeds: 3}
    seeds: 3 is not a non-empty list; each item is an integer from 0 to 2147483647
{generations: 2.5}
    generations: 2.5 is not an integer from 1 to 1000
{generations: null}
    generations: null is not an integer from 1 to 1000 (nothing stands after the colon)
{dataset: 5}
    dataset: 5 is not a mapping of keys to values
{training_set: {size: pol}}
    training_set.size: 'pol' is not an integer >= 1 or 'pool' (did you mean 'pool'?)
{sampling: {pool_factor: 0}}
    sampling.pool_factor: 0 is not a number > 0
{training_set: {real_fraction: 1}}
    training_set.real_fraction: 1 is not a number >= 0 and < 1
{evaluate: {k: .nan}}
    evaluate.k: nan is not a finite number
{sampling: {pool_factor: .inf}}
    sampling.pool_factor: inf is not a finite number
{selection: {space: ''}}
    selection.space: is empty
{paradigm: replace}
    paradigm: unknown key (it belongs in training_set)
{zzzz: 1}
    zzzz: unknown key (known: arms, compile, dataset,
{embedder: {spaces: {My-Space: {plugin: pixels.py}}}}
    embedder.spaces: 'My-Space' is no name
{embedder: {spaces: {third: {}}}}
    embedder.spaces.third.plugin: is missing
{embedder: {spaces: {third: }}}
    embedder.spaces.third.plugin: is missing
{resources: {train: {gpus: 1}}}
    resources.train.gpus: unknown key (did you mean 'gpu'?)
{threads: {train: 0}}
    threads.train: 0 is not an integer from 1 to 1024

# what YAML 1.1 reads
{training_set: {real_fraction: 1e-1}}
    (it is text to YAML: write 0.1 without quotes)
{training_set: {size: '1_000'}}
    (it is text to YAML: write 1000 without quotes)
{deterministic: 'no'}
    deterministic: 'no' is not true or false (it is text to YAML: write false without quotes)
{selection: {space: on}}
    selection.space: true is not text (YAML reads yes, no, on and off as true and false
{generations: true}
    generations: true is not an integer from 1 to 1000
{on: 3}
    true: unknown key

# plug-in files and their parameters
{generator: {plugin: ty.py}}
    generator.plugin: ty.py: no such file (did you mean 'toy.py'?)
{dataset: {plugin: .}}
    dataset.plugin: . is a folder, not a file
{selection: {script: broken.py}}
    selection.script: broken.py is no Python: line 1, invalid syntax
{dataset: {plugin: empty.py}}
    dataset.plugin: empty.py has no function load, so it is no dataset
{dataset: {plugin: anything.py}}
    dataset.plugin: anything.py line 1: load() takes any name (**)
{selection: {script: rule.R}}
    selection.script: rule.R has no run bit: chmod +x rule.R, or name a .py file
{generator: {params: {widht: 3}}}
    generator.params.widht: unknown parameter (did you mean 'width'?)
{generator: {params: {steps: 3}}}
    generator.params.steps: unknown parameter (known: betas, decay, flip, name,
{generator: {params: {seed: 3}}}
    generator.params.seed: is given by the workflow and is no parameter
{sampling: {params: {sampler: 3}}}
    sampling.params.sampler: 3 is not text
{selection: {params: {tau: 3}}}
    selection.params.tau: unknown parameter (there are none)
{dataset: {plugin: folder.py, params: {size: big}}}
    dataset.params.size: 'big' is not an integer
{embedder: {spaces: {features: {params: {epoch: 3}}}}}
    embedder.spaces.features.params.epoch: unknown parameter (did you mean 'epochs'?)
{generator: {params: {width: 1.5}}}
    generator.params.width: 1.5 is not an integer
{generator: {params: {width: null}}}
    generator.params.width: null is not an integer
{generator: {params: {rate: 1e-4}}}
    (it is text to YAML: write 0.0001 without quotes)
{generator: {params: {rate: 1e-5}}}
    (it is text to YAML: write 1.0e-05 without quotes)
{generator: {params: {betas: [0.9, 1e-1]}}}
    generator.params.betas: item 1, '1e-1', is not a number
{generator: {params: {betas: 0.9}}}
    generator.params.betas: 0.9 is not a list
{generator: {params: {flip: 1}}}
    generator.params.flip: 1 is not true or false
{generator: {params: {name: off}}}
    generator.params.name: false is not text (YAML reads yes, no, on and off

# one key against another
{training_set: {real_fraction: 0.5, paradigm: subsample}}
    training_set.real_fraction: 0.5 is for training_set.paradigm replace, not subsample
{training_set: {real_fraction: 0.001}}
    training_set.real_fraction: 0.001 of training_set.size 100 is no item
{training_set: {real_fraction: 0.999}}
    training_set.real_fraction: 0.999 of training_set.size 100 is all of it
{training_set: {size: pool}}
    training_set.size: pool is for an arm
{selection: {script: keep_all.py}}
    selection.script: keep_all keeps the whole pool of 200, but 100 are asked for: set sampling.pool_factor to 1
{selection: {script: keep_all.py}, sampling: {pool_factor: 1}, training_set: {real_fraction: 0.25}}
    selection.script: keep_all keeps the whole pool of 100, but 75 are asked for: set sampling.pool_factor to 0.75
{selection: {script: keep_all.py}, sampling: {pool_factor: 1}, training_set: {paradigm: subsample}}
    selection.script: keep_all keeps the whole pool, which grows under paradigm subsample
{sampling: {pool_factor: 0.125}}
    sampling.pool_factor: 0.125 times training_set.size 100 is 12.5, not a number
{sampling: {pool_factor: 0.5}}
    sampling.pool_factor: the pool of 50 samples is smaller than the 100 that the rule must choose: at least 1
{selection: {space: feature}}
    selection.space: 'feature' is none of embedder.spaces (did you mean 'features'?)
{evaluate: {distribution: [features, pixel]}}
    evaluate.distribution[1]: 'pixel' is none of embedder.spaces
{evaluate: {neighbours: [x]}}
    evaluate.neighbours[0]: 'x' is none of embedder.spaces (known: features, pixels)
{evaluate: {near_duplicate_threshold: {pixel: 1}}}
    evaluate.near_duplicate_threshold.pixel: 'pixel' is none of
{evaluate: {n: 201}}
    evaluate.n: 201 is more than the 200 samples of a generation
{evaluate: {n: 50, kid_subset_size: 51}}
    evaluate.kid_subset_size: 51 is more than 50, the most that evaluate.n (50) allows
{evaluate: {n: 50, coverage_k: 50}}
    evaluate.coverage_k: 50 is more than 49, the most that evaluate.n (50) allows
{report: {control: gredy}, arms: {greedy: {generations: 2}}}
    report.control: 'gredy' is no arm (did you mean 'greedy'?)
{report: {control: other}}
    report.control: 'other' is no arm (known: main)
{dataset: {heldout: 20}, evaluate: {kid_subset_size: 21}}
    evaluate.kid_subset_size: 21 is more than 20, the most that dataset.heldout (20) allows
{evaluate: {k: 100}}
    evaluate.k: 100 is more than 99, the most that evaluate.n (100) allows
{sampling: {shards: 5, batch_size: 50}}
    sampling.shards: 5 is more than the 4 batches of 50 that 200 samples
{embedder: {shards: 2}}
    embedder.shards: 2 is more than the 1 batches of 256 that 200 samples make: fewer, or a smaller embedder.batch_size
{precision: fp16, device: cpu}
    precision: fp16 is for a GPU; on device cpu take fp32 or bf16
{training_set: {size: 1298}}
    training_set.size: 1298 and dataset.heldout 500 are more than the 1797 items of the dataset: at most 1297 are left
{dataset: {heldout: 1797}}
    training_set.size: 100 and dataset.heldout 1797 are more than the 1797 items
{dataset: {heldout: null}}
    dataset.heldout: null takes the held-out items of the plug-in, which has none

# arms
{arms: {gen1: {generations: 3}}}
    arms.gen1: is no name of an arm: gen*, seed*, config,
{arms: {seedy: {generations: 3}}}
    arms.seedy: is no name of an arm
{arms: {main: {generations: 3}}}
    arms.main: is no name of an arm
{arms: {Greedy: {generations: 3}}}
    arms.Greedy: is no name of an arm (lower case letters
{arms: {a_seed2: {generations: 3}}}
    arms.a_seed2: is no name of an arm: rules of further seeds
{arms: {no: {generations: 3}}}
    arms.false: is no name of an arm: YAML read it as false
{arms: [greedy]}
    arms: ['greedy'] is not a mapping of keys to values
{arms: {a: }}
    arm a: is empty: it would repeat the main chain
{arms: {a: 3}}
    arm a: 3 is not a mapping of keys to values
{arms: {a: {seeds: [1]}}}
    arm a: seeds: is common to all chains: an arm cannot change arms, dataset.seed, embedder.seed, fetch, report, seeds
{arms: {a: {dataset: {seed: 1}}}}
    arm a: dataset.seed: is common to all chains
{arms: {a: {embedder: {seed: 1}}}}
    arm a: embedder.seed: is common to all chains
{arms: {a: {arms: {b: {}}}}}
    arm a: arms: is common to all chains
{arms: {a: {report: {images: 1}}}}
    arm a: report: is common to all chains
{arms: {a: {training_set: {size: pool}}}}
    arm a: training_set.size: pool keeps the whole pool: the rule must be keep_all.py, not selection.script random.py
{arms: {a: {training_set: {size: pool, paradigm: accumulate}, selection: {script: keep_all.py}}}}
    arm a: training_set.size: pool is for paradigm replace, not accumulate
{arms: {a: {training_set: {size: 1500}}}}
    arm a: training_set.size: 1500 and dataset.heldout 500 are more
{arms: {a: {selection: {script: greedy.py, params: {start: x}}}}}
    arm a: selection.params.start: 'x' is not an integer
{arms: {a: {generator: {params: {widht: 1}}}}}
    arm a: generator.params.widht: unknown parameter
"""


def cases(text):
    """Yield (difference, line) pairs of MISTAKES."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return list(zip(lines[::2], (line.strip() for line in lines[1::2]), strict=True))


@pytest.mark.parametrize(("difference", "line"), cases(MISTAKES))
def test_one_mistake_is_one_line(wrong, difference, line):
    lines = wrong(difference)
    assert len(lines) == 1, lines
    assert lines[0].startswith("config.yaml: "), lines[0]
    assert line in lines[0]


@pytest.mark.parametrize(
    "difference",
    [
        "{training_set: {real_fraction: 0.5}, sampling: {pool_factor: 0.5}}",
        "{training_set: {real_fraction: 0.5}, sampling: {pool_factor: 0.5}, selection: {script: keep_all.py}}",
        "{training_set: {paradigm: subsample}, sampling: {pool_factor: 0.1}}",
        "{training_set: {paradigm: accumulate}, sampling: {pool_factor: 1}, selection: {script: keep_all.py}}",
        "{training_set: {size: 30}, sampling: {pool_factor: 0.1}, evaluate: {k: 2}, dataset: {heldout: 5}, "
        "arms: {a: {training_set: {real_fraction: 0.9}}}}",
        "{training_set: {size: 1297}}",
        "{arms: {a: {selection: {script: greedy.py, params: {start: null}}}}}",
        "{arms: {a: {generator: {plugin: other.py}}}}",
        "{arms: {a: {generator: {plugin: other.py, params: {epochs: 4}}}}}",
        "{arms: {a: {dataset: {seed: 0}, report: {images: 64}}}}",
        "{arms: {a: {generations: 3}}}",
        "{generator: {params: {rate: 1, decay: 0.9, betas: [1, 2]}}}",
        "{dataset: {plugin: folder.py, params: {path: 3, size: null}}}",
    ],
)
def test_what_makes_sense_passes(run, difference):
    if "pool_factor: 0.1}, evaluate" in difference:
        difference = yaml.safe_load(difference) | {"training_set": {"size": 30, "real_fraction": 0.9}}
    assert run(difference)


def test_a_selector_in_another_language_needs_its_run_bit(run, folder):
    (folder / "rule.R").chmod(0o755)
    assert run("{selection: {script: rule.R, params: {whatever: 1}}}")


def test_a_choice_in_an_annotation_is_checked(wrong, folder):
    text = "from typing import Literal\ndef train(samples, *, loss: Literal['mse', 'huber'] | None = 'mse'): pass\n"
    (folder / "choice.py").write_text(text + "def load(weights): pass\n")
    lines = wrong("{generator: {plugin: choice.py, params: {loss: hubr}}}")
    assert lines == [
        "config.yaml: generator.params.loss: 'hubr' is not one of mse, huber, null (did you mean 'huber'?)",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1/0", "ZeroDivisionError: division by zero, while the dataset plug-in was imported"),
        ("def load(*, seed): pass\ndef count(): raise OSError('gone')", "OSError: gone, in count()"),
        (
            "def load(*, seed): pass\ndef count(): return 5",
            "count() must return {'train': n} and perhaps 'heldout', not 5",
        ),
    ],
)
def test_a_plugin_that_fails_to_count_is_one_line(wrong, folder, text, says):
    (folder / "bad.py").write_text(text if "def load" in text else f"def load(*, seed): pass\n{text}\n")
    lines = wrong("{dataset: {plugin: bad.py}, arms: {a: {generations: 3}}}", counts=count_items)
    assert len(lines) == 1, lines
    assert lines[0].startswith("config.yaml: dataset.plugin: ")
    assert says in lines[0]


def test_counting_is_asked_once_for_each_dataset_and_never_with_wrong_parameters(run, wrong):
    asked = []

    def counts(path, params):
        asked.append(path.name)
        return {"train": 1797}

    run("{seeds: [0, 1], arms: {a: {generations: 3}, b: {dataset: {plugin: split.py}}}}", counts=counts)
    assert sorted(asked) == ["digits.py", "split.py"]
    asked.clear()
    wrong("{dataset: {params: {x: 1}}}", counts=counts)
    assert asked == []


@pytest.mark.parametrize(
    ("config", "says"),
    [(None, "is empty, not keys"), ([], "holds []"), ("generations", "holds 'generations'"), (3, "holds 3")],
)
def test_a_config_that_is_no_mapping_is_one_line(find, config, says):
    with pytest.raises(ConfigError) as caught:
        resolve(config, schema=SCHEMA, find=find)
    assert str(caught.value).startswith(f"config.yaml: {says}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no keys and values"),
        ("- a", "holds no keys and values"),
        (
            "a:\n\tb: 1",
            "line 2, column 1: found character that cannot start any token (indent with spaces, not tabs)",
        ),
        ("a: 1\nb: [", "not YAML: line"),
        ("a: 1\nb: [\n", "not YAML: line"),
        ("a: {x: 1}\nb: 2\na: {y: 1}\n", "line 3: 'a' stands twice in the same section"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(tmp_path, text, says):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"y\.yaml: no such file"):
        read_yaml(tmp_path / "y.yaml")


# ---- parts ----


def test_nearest_name():
    assert nearest("replce", ["replace", "accumulate"]) == "replace"
    assert nearest("Replace", ["replace"]) == "replace"
    assert nearest("zzz", ["replace"]) is None
    assert nearest(3, []) is None


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_suggested_number_is_a_number_to_yaml(number):
    assert yaml.safe_load(yaml_number(number)) == number


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_wrong_value_is_found_and_named(data):
    """Whatever value stands at whatever key: the checker speaks exactly when jsonschema does, and of that key."""
    path, schema = data.draw(st.sampled_from([(p, s) for p, s in schema_keys(SCHEMA) if "<name>" not in p]))
    leaf = (
        st.integers(-3, 5)
        | st.booleans()
        | st.none()
        | st.text(max_size=3)
        | st.sampled_from([0.5, 1e9, "cpu", [0], {}])
    )
    value = data.draw(leaf)
    config = value
    for name in reversed(path):
        config = {name: config}
    problems = checker(SCHEMA)(config)
    assert bool(problems) == bool(list(Draft202012Validator(SCHEMA).iter_errors(config)))
    assert all(problem.key.startswith(".".join(path)) for problem in problems)
    assert types_of(schema) and describe(schema)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_where_a_user_errs_without_a_traceback(data, config, find):
    """Any value at any key, in the config and in an arm: chains or a ConfigError, never another exception."""
    leaf = st.sampled_from(
        [0, -1, 3, 0.5, 1e300, float("nan"), True, None, "", "pool", "toy.py", "subsample", "x", "1e-4"]
    )
    value = (
        leaf | st.lists(leaf, max_size=2) | st.dictionaries(st.sampled_from(["plugin", "params", "n", 3, True]), leaf)
    )
    places = [path for path, _ in schema_keys(SCHEMA) if "<name>" not in path]
    changes = data.draw(st.lists(st.tuples(st.sampled_from(places), value, st.booleans()), min_size=1, max_size=4))
    config, arm = copy.deepcopy(config), {}
    for path, new, in_arm in changes:
        section = arm if in_arm else config
        for name in path[:-1]:
            section = section.setdefault(name, {})
            if not isinstance(section, dict):
                break
        else:
            section[path[-1]] = new
    if arm:
        config.setdefault("arms", {"a": arm})
    try:
        resolve(config, schema=SCHEMA, find=find, count_items=count_items)
    except ConfigError as error:
        assert all(line.startswith("config.yaml: ") for line in str(error).splitlines()), str(error)


@pytest.mark.parametrize("path", sorted((ROOT / "workflow" / "plugins").glob("*/*.py")), ids=lambda path: path.name)
def test_parameters_read_from_the_text_are_those_of_the_functions(path):
    """For every shipped plug-in, and with what import sees: keyword-only, with a default, not given by the workflow."""
    kind = {"datasets": "dataset", "generators": "generator", "embedders": "embedder"}.get(path.parent.name)
    if kind is None:
        assert parameters(syntax(path), "selection") is not None
        return
    module = load_plugin(path, kind)
    for reader, (of_kind, functions) in READERS.items():
        if of_kind == kind:
            seen = [
                p
                for f in functions
                if hasattr(module, f)
                for p in inspect.signature(getattr(module, f)).parameters.values()
            ]
            expected = {p.name: p.default for p in seen if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
            found = parameters(syntax(path), reader)
            assert set(found) == set(expected) - given_names(reader)
            for name, parameter in found.items():
                assert parameter.default in (expected[name], ANYTHING), name


def test_a_hundred_arms_are_checked_in_no_time(config, find):
    config["arms"] = {f"a{i}": {"evaluate": {"k": 1 + i % 7}, "sampling": {"batch_size": 50 + i}} for i in range(100)}
    resolve(config, schema=SCHEMA, find=find)  # imports jsonschema
    seconds = []
    for _ in range(3):
        start = time.process_time()
        assert len(resolve(config, schema=SCHEMA, find=find).chains) == 101
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.0, f"{min(seconds):.2f} s for 100 arms"
