"""What the workflow would do, without doing it: rules, commands bound to their generation, sharing, one-line errors."""

import json
import re
import shlex

import pytest
import yaml
from conftest import Checkout


@pytest.fixture
def config(tmp_path):
    """Write differences from config.yaml and return how snakemake is told of them."""

    def write(**differences) -> list[str]:
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(differences))
        return ["--configfile", str(tmp_path / "experiment.yaml")]

    return write


@pytest.fixture(scope="module")
def jobs(checkout, tmp_path_factory):
    """The printed jobs of three generations with two arms and two seeds: rule -> (inputs, outputs, command)."""
    path = tmp_path_factory.mktemp("config") / "arms.yaml"
    path.write_text(yaml.safe_dump(ARMS))
    done = checkout.snakemake("-n", "-p", "--cores", "8", "--configfile", str(path), "--", "all")
    assert done.returncode == 0, done.stderr
    found = {}
    for block in re.split(r"\n(?=(?:local)?rule )", done.stdout):
        if match := re.match(r"(?:local)?rule (\S+):", block):
            command = re.search(r"^Shell command: (python .*)", block, re.M)
            parts = {key: re.search(rf"^    {key}: (.*)", block, re.M) for key in ("input", "output")}
            found[match[1]] = {key: part[1].split(", ") if part else [] for key, part in parts.items()}
            found[match[1]]["command"] = command[1] if command else ""
    return found


ARMS = {
    "generations": 3,
    "seeds": [0, 5],
    "arms": {
        "greedy": {"selection": {"script": "workflow/plugins/selectors/greedy.py"}},
        "accumulate": {"training_set": {"paradigm": "accumulate"}},
    },
}


def test_every_generation_has_its_rules(checkout):
    names = checkout.snakemake("--list-rules").stdout.split()
    for g in range(1, 11):
        assert {f"{stage}_g{g}" for stage in ("train", "sample", "embed", "evaluate")} <= set(names)
        assert (f"select_g{g}" in names) == (g < 10)
    assert {"sample_g0", "embed_g0", "select_g0", "sample_heldout", "train_embedder_classifier"} <= set(names)
    assert not {"train_g0", "evaluate_g0"} & set(names)


def test_chains_share_what_is_identical(jobs):
    assert {"train_g1", "train_g1_seed5", "train_g2_greedy", "train_g2_greedy_seed5"} <= set(jobs)
    assert not {"train_g1_greedy", "sample_g1_accumulate", "sample_g0_greedy", "sample_heldout_seed5"} & set(jobs)
    assert "results/gen1/embeddings/classifier/part-0000.parquet" in jobs["select_g1_greedy"]["input"]
    assert "results/seed5/gen1/embeddings/classifier/part-0000.parquet" in jobs["select_g1_greedy_seed5"]["input"]
    assert "results/gen2/training_set.parquet" not in jobs["select_g2_accumulate"]["input"]
    assert "results/accumulate/gen2/training_set.parquet" in jobs["select_g2_accumulate"]["input"]
    assert "results/gen1/training_set.parquet" in jobs["select_g1_accumulate"]["input"]


def test_the_explorer_reads_the_images_that_each_chain_is_made_of(jobs):
    files = set(jobs["explorer"]["input"])
    assert {"results/metrics.csv", "results/gen1/samples/part-0000.npy", "results/greedy/gen2/samples/part-0000.npy",
            "results/seed5/gen3/training_set.parquet", "results/greedy/figures/tracked/gen1.npy"} <= files  # fmt: skip
    assert "results/greedy/gen1/samples/part-0000.npy" not in files, "generation 1 is the main chain's"
    words = shlex.split(jobs["explorer"]["command"])
    chains = json.loads(words[words.index("--chains") + 1])
    assert [(chain["arm"], chain["seed"]) for chain in chains[:2]] == [("main", 0), ("main", 5)]
    greedy = next(chain for chain in chains if chain["arm"] == "greedy" and chain["seed"] == 5)
    assert greedy["about"] == "selection.script: workflow/plugins/selectors/greedy.py"
    assert greedy["samples"] == {"0-1": "results/seed5/gen*/samples/part-0000.npy",
                                 "2-3": "results/greedy/seed5/gen*/samples/part-0000.npy"}  # fmt: skip


def test_each_command_names_its_own_generation_and_chain(jobs):
    """A value that is looked up late, in shell text or in a lambda, is that of the loop's last turn."""
    checked = 0
    for rule, job in jobs.items():
        match = re.fullmatch(r"(train|sample|embed|select|evaluate)_g(\d+)((?:_[a-z]+)?)((?:_seed\d+)?)", rule)
        if not match:
            continue
        stage, g, arm, seed = match[1], int(match[2]), match[3][1:], match[4][1:]
        folder = "/".join(["results", *filter(None, (arm, seed))])
        words = shlex.split(job["command"].split("2>&1")[0])
        if stage != "sample" or g > 0:
            assert words[words.index("--generation") + 1] == str(g), rule
        written = [word for flag in ("--output", "--fid", "--metrics") if flag in words
                   for word in [words[words.index(flag) + 1]]]  # fmt: skip
        own = g + 1 if stage == "select" else g
        assert all(path.startswith(f"{folder}/gen{own}/") for path in written), (rule, written)
        assert all(re.match(rf"{folder}/gen({g}|{own})/", path) for path in job["output"]), (rule, job["output"])
        if "--seed" in words:
            assert words[words.index("--seed") + 1] == (seed.removeprefix("seed") or "0"), rule
        checked += 1
    assert checked > 60


def test_balanced_concerns_the_draw_of_training_images_alone(checkout, config):
    """The held-out images and the fitted embedder stay the main chain's, so that distances compare."""
    fresh = {"real_fraction": 0.5, "real_source": "fresh"}
    extra = config(generations=2, arms={"even": {"training_set": {"balanced": True, **fresh}}})
    done = checkout.snakemake("-n", "-p", "--cores", "1", *extra, "--", "all")
    assert done.returncode == 0, done.stderr
    commands = dict(re.findall(r"^rule (\S+):.*?^Shell command: (python .*?)$", done.stdout, re.M | re.S))
    with_it = {rule for rule, command in commands.items() if " --balanced " in command}
    assert with_it == {"sample_g0_even", "sample_fresh_g2_even"}
    assert "sample_g0" in commands and not {"sample_heldout_even", "train_embedder_classifier_even"} & set(commands)


def test_a_generation_is_a_target_and_until_stops(checkout, config):
    extra = config(generations=3)
    done = checkout.snakemake("-n", "--cores", "1", *extra, "--", "train_g2")
    assert "train_g2" in done.stdout and "sample_g2" not in done.stdout and "train_g3" not in done.stdout
    done = checkout.snakemake("-n", "--cores", "1", *extra, "--until", "select_g2", "--", "results/gen3/fid.json")
    assert "select_g2" in done.stdout and "train_g3" not in done.stdout


def test_gen10_asks_for_the_curve_that_leads_to_it(checkout):
    done = checkout.snakemake("-n", "--cores", "1", "--", "results/gen10/fid.json")
    assert all(f"evaluate_g{g} " in done.stdout for g in range(1, 11))


def test_shards_are_worker_rules_and_a_gather_rule_with_the_promised_name(checkout, config):
    extra = config(generations=1, sampling={"shards": 3}, embedder={"shards": 2})
    done = checkout.snakemake("-n", "--cores", "1", *extra, "--", "results/gen1/fid.json")
    counts = dict(re.findall(r"^(\S+) +(\d+)$", done.stdout, re.M))
    assert (counts["sample_g1_shard"], counts["sample_g1"]) == ("3", "1")
    assert (counts["embed_g1_shard"], counts["embed_g1"]) == ("2", "1")


@pytest.mark.parametrize(
    ("differences", "lines"),
    [
        ({"trainin_set": {"size": 5}}, ["trainin_set: unknown key", "training_set"]),
        ({"training_set": {"paradigm": "replce"}}, ["training_set.paradigm", "replace"]),
        ({"generations": "ten"}, ["generations"]),
        (
            {"selection": {"script": "workflow/plugins/selectors/gredy.py"}},
            ["selection.script", "gredy.py: no such file", "greedy.py"],
        ),
        ({"training_set": {"size": 5000}}, ["1797"]),
        (
            {"arms": {"mix": {"training_set": {"paradigm": "subsample", "real_fraction": 0.5}}}},
            ["arm mix: training_set.real_fraction"],
        ),
        ({"arms": {"gen5": {"generations": 2}}}, ["gen5"]),
        ({"generator": {"params": {"batchsize": 5}}}, ["generator.params", "batchsize", "batch_size"]),
        (
            {"generator": {"params": {"block_out_channels": [12, 24, 32], "norm_num_groups": 8}}},
            ["generator.params.attention: 2 entries for 3 block_out_channels",
             "generator.params.norm_num_groups: 8 does not divide 12 channels"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_config_is_one_line_and_no_traceback(checkout, config, differences, lines):
    done = checkout.snakemake("-n", "--cores", "1", *config(**differences), "--", "results/gen1/fid.json")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said and "Exception" not in said
    for text in lines:
        assert text in said


def test_a_key_that_stands_twice_is_refused(checkout, tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("generations: 1\narms:\n  a: {generations: 2}\narms:\n  b: {generations: 3}\n")
    done = checkout.snakemake("-n", "--cores", "1", "--configfile", str(path), "--", "all")
    assert done.returncode != 0 and f"{path}: line 4: 'arms' stands twice in the same section" in done.stderr
    assert "Traceback" not in done.stderr


def test_figures_of_a_correlation_are_part_of_a_run_with_enough_different_generations(checkout, config):
    greedy = {"selection": {"script": "workflow/plugins/selectors/greedy.py"}}
    for generations, expected in ((2, False), (3, True)):  # generation 1 is shared: 3 and 5 points
        extra = config(generations=generations, arms={"greedy": greedy})
        said = checkout.snakemake("-n", "--cores", "1", *extra, "--", "all").stdout
        assert ("figure_trace_gs" in said) is expected


def test_everything_wrong_is_listed_at_once(checkout, config):
    extra = config(generations=0, seeds=[1, 1], evaluate={"k": "three"}, arms={"a": {"sampling": {"shard": 2}}})
    said = checkout.snakemake("-n", "--cores", "1", *extra).stderr
    for key in ("generations", "seeds", "evaluate.k", "arm a: sampling.shard"):
        assert key in said


def test_another_plugin_in_a_config_file_drops_the_params_of_the_old_one(checkout, config):
    extra = config(
        generations=1,
        dataset={"plugin": "workflow/plugins/datasets/normal.py", "params": {"n": 50, "replicates": 3}, "heldout": 10},
        training_set={"size": 40},
        generator={"plugin": "workflow/plugins/generators/gaussian.py"},
        embedder={"spaces": {"classifier": {"plugin": "workflow/plugins/embedders/pixels.py"}}},
    )
    done = checkout.snakemake("-n", "--cores", "1", *extra, "--", "results/gen1/fid.json")
    assert done.returncode == 0, done.stderr


def test_the_workflow_is_found_from_another_folder(checkout, tmp_path):
    (tmp_path / "config.yaml").write_text((checkout.folder / "config.yaml").read_text())
    other = Checkout.__new__(Checkout)
    other.folder = tmp_path
    done = other.snakemake("-n", "-p", "--cores", "1", "-s", str(checkout.folder / "Snakefile"), "--", "train_g1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "workflow/scripts/train.py" in done.stdout


def test_a_folder_without_a_config_has_the_default_one(checkout, tmp_path):
    """And a --configfile there is a difference from it, not a config whose other keys have the plug-ins' defaults."""
    (tmp_path / "mine.yaml").write_text("generations: 2\n")
    where = ("-s", str(checkout.folder / "Snakefile"), "--directory", str(tmp_path))
    for extra, generations in ((), 10), (("--configfile", str(tmp_path / "mine.yaml")), 2):
        done = checkout.snakemake("-n", "-p", "--cores", "1", *where, *extra, "--", "results/metrics.csv")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"rule train_g{generations}:" in done.stdout and f"train_g{generations + 1}:" not in done.stdout
        assert '"nimg": 25600' in done.stdout
        assert done.stderr.count("no config.yaml in this folder: the default experiment is that of ") == 1
    (tmp_path / "config.yaml").symlink_to("gone.yaml")
    done = checkout.snakemake("-n", "--cores", "1", *where)
    assert done.returncode == 1 and "config.yaml but it is not present" in done.stdout


@pytest.mark.parametrize("extra", [(), ("--config", "unused=1")])
@pytest.mark.parametrize("own", [False, True])
def test_the_config_of_a_module_is_whole(checkout, tmp_path, extra, own):
    """Neither the folder's config.yaml nor the one beside the workflow comes into it."""
    settings = yaml.safe_load((checkout.folder / "config.yaml").read_text()) | {"generations": 2}
    settings["generator"]["params"]["nimg"] = 7777
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump({"loop": settings}))
    if own:
        (tmp_path / "config.yaml").write_text("generations: 9\n")
    (tmp_path / "Snakefile").write_text(
        ('configfile: "config.yaml"\n' if own else "")
        + f'configfile: "whole.yaml"\nmodule loop:\n    snakefile: "{checkout.folder}/workflow/Snakefile"\n'
        '    config: config["loop"]\nuse rule * from loop\n'
    )
    where = ("-s", str(tmp_path / "Snakefile"), "--directory", str(tmp_path))
    done = checkout.snakemake("-n", "-p", "--cores", "1", *where, *extra, "--", "results/gen2/fid.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"nimg": 7777' in done.stdout and '"nimg": 25600' not in done.stdout
    assert "no config.yaml" not in done.stderr


def test_each_named_figure_is_a_target_of_three_files(jobs):
    for name in ("fd", "gs", "entropy", "entropy_gs", "trace_gs", "real_share", "pca"):
        job = jobs[f"figure_{name}"]
        files = [f"results/figures/{name}.{ending}" for ending in ("png", "svg", "pdf")]
        assert job["output"] == files
        words = shlex.split(job["command"].split("2>&1")[0])
        assert words[-3:] == files
        if name == "pca":
            chains = json.loads(words[words.index("--chains") + 1])
            chains = {chain["arm"]: chain for chain in chains}
            assert set(chains) == {"main", "greedy", "accumulate"}
            assert chains["greedy"]["generations"]["1"] == "results/gen1/embeddings/classifier/part-0000.parquet"
            assert chains["greedy"]["generations"]["3"] == "results/greedy/gen3/embeddings/classifier/part-0000.parquet"
            assert "--n" not in words and {chain["n"] for chain in chains.values()} == {600}
        else:
            assert words[words.index("--figure") + 1] == name and job["input"][0] == "results/metrics.csv"
    assert "results/gen3/fid.json" in jobs["figure_fd"]["input"]
    assert not any("paper" in word for word in jobs["figure_fd"]["input"])
    assert "results/figures/evolution.pdf" in jobs["plot_evolution"]["output"]
    assert "results/figures/nearest_g1.svg" in jobs["plot_nearest_g1"]["output"]


def test_a_figure_without_data_is_left_out_and_still_a_target(checkout, config):
    extra = config(generations=1)
    said = checkout.snakemake("-n", "--cores", "1", *extra).stdout
    assert "figure_pca" in said and not re.search(r"figure_(fd|gs|entropy|entropy_gs|trace_gs|real_share)\b", said)
    assert "figure_fd" in checkout.snakemake("-n", "--cores", "1", *extra, "--", "figure_fd").stdout


def test_the_papers_curves_are_asked_for_by_setting(checkout, config):
    extra = config(generations=2, report={"paper": ["cifar10", "ffhq"]})
    said = checkout.snakemake("-n", "-p", "--cores", "1", *extra, "--", "figure_fd").stdout
    command = shlex.split(re.search(r"python \S*plot_figure.py .*", said)[0].split("2>&1")[0])
    at = command.index("--paper")
    assert command[at : at + 4] == ["--paper", "cifar10", "ffhq", "--paper-curves"]
    assert command[at + 4] == "workflow/resources/paper_2509.16499.csv"
    assert json.loads(command[command.index("--arms") + 1])["main"]["rule"] == "none"
    wrong = checkout.snakemake("-n", "--cores", "1", *config(report={"paper": ["imagenet"]}))
    assert wrong.returncode != 0 and "report.paper" in wrong.stderr and "cifar10" in wrong.stderr
    assert "Traceback" not in wrong.stderr
