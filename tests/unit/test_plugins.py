"""Loading a plug-in file and checking parameters: what a user does wrong is one line that says where."""

import sys
from pathlib import Path

import pytest

from selfloop.errors import UserError
from selfloop.plugins import call, call_parameters, failure, load_plugin, offered

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins"
SHIPPED = sorted(PLUGINS.glob("[!s]*/*.py"))  # a selector is a script of its own
DATASET = "def load(*, seed, size=32, scale=1.0, name='a', flip=False, sides=(1, 2), path=None):\n    return size\n"


@pytest.fixture
def plugin(tmp_path):
    """Return a function that writes a plug-in file and gives its path."""

    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def message(function, *arguments, **keywords) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_plugin_is_loaded_from_its_path(plugin):
    module = load_plugin(plugin(DATASET), "dataset")
    assert call(module.load, {"seed": 1, "device": "cpu"}, {"size": 8}, "dataset.params") == 8


def test_an_edit_within_the_same_second_is_seen(plugin):
    path = plugin("def load(*, seed):\n    return 1\n")
    assert load_plugin(path, "dataset").load(seed=0) == 1
    plugin("def load(*, seed):\n    return 2\n")
    assert load_plugin(path, "dataset").load(seed=0) == 2
    assert not (path.parent / "__pycache__").exists()


def test_two_plugins_of_one_name_are_two_modules(tmp_path, plugin):
    (tmp_path / "other").mkdir()
    a = load_plugin(plugin("def load(*, seed):\n    return 1\n"), "dataset")
    b = load_plugin(plugin("def load(*, seed):\n    return 2\n", "other/mine.py"), "dataset")
    assert (a.load(seed=0), b.load(seed=0)) == (1, 2)
    assert sys.modules[a.__name__] is a and sys.modules[b.__name__] is b


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("def load(*, seed)\n    return 1\n", "dataset", "mine.py:1: SyntaxError: expected ':'"),
        ("\n\nimport no_such_module\n", "dataset", "mine.py:3: ModuleNotFoundError: No module named 'no_such_module', "
         "while the dataset plug-in was imported"),
        ("raise SystemExit(3)\n", "dataset", "mine.py:1: SystemExit: 3, while the dataset plug-in was imported"),
        ("x = 1\n", "dataset", "mine.py: no function 'load'; a dataset plug-in defines load(*, seed, ...)"),
        ("def train(samples, *, seed):\n    pass\n", "generator", "mine.py: no function 'load'; a generator plug-in "
         "defines train(samples, *, labels, replicate, seed, device, precision, compile, run, team, ...) and "
         "load(weights, "
         "*, shape, model, device, precision, compile, ...)"),
        ("def load(*, seed, **params):\n    pass\n", "dataset", "mine.py:1: load() takes any name (*args or **kwargs); "
         "name each parameter, with its default"),
        ("\ndef load(seed, size=3):\n    pass\n", "dataset", "mine.py:2: load(seed, size, ...) is called as "
         "load(*, ...); put * before the rest"),
        ("def load(*, seed, size):\n    pass\n", "dataset", "mine.py:1: parameter 'size' of load() needs a default: "
         "the workflow gives seed, the rest is the user's to leave out"),
        ("def load(*, state):\n    pass\n", "embedder", "mine.py: no text constant EXTRACTOR; it is recorded beside "
         "every embedding of the embedder"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_line_with_its_place(plugin, text, kind, expected):
    path = plugin(text)
    assert message(load_plugin, path, kind) == f"{path.parent}/{expected}"


def test_a_missing_file(tmp_path):
    assert message(load_plugin, tmp_path / "no.py", "embedder") == f"{tmp_path}/no.py: no such file (embedder plug-in)"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"sise": 3},
         "here: unknown parameter 'sise'; did you mean 'size'? (known: flip, name, path, scale, sides, size)"),
        ({"seed": 3}, "here: unknown parameter 'seed' (known: flip, name, path, scale, sides, size)"),
        ({"size": "8"}, "here.size: '8' is text, not a whole number (default 32)"),
        ({"size": 8.5}, "here.size: 8.5 is a number, not a whole number (default 32)"),
        ({"size": True}, "here.size: True is true/false, not a whole number (default 32)"),
        ({"size": None}, "here.size: None is null, not a whole number (default 32)"),
        ({"scale": "1e-3"},
         "here.scale: '1e-3' is text, not a number (default 1.0); YAML reads 1e-3 as text, write 1.0e-3"),
        ({"flip": 1}, "here.flip: 1 is a whole number, not true/false (default False)"),
        ({"sides": 1}, "here.sides: 1 is a whole number, not a list (default (1, 2))"),
    ],
)  # fmt: skip
def test_wrong_parameters(plugin, params, expected):
    load = load_plugin(plugin(DATASET), "dataset").load
    assert message(call_parameters, load, params, "here") == expected


def test_right_parameters_are_returned_as_they_are(plugin):
    load = load_plugin(plugin(DATASET), "dataset").load
    params = {"size": 8, "scale": 2, "name": "b", "flip": True, "sides": [3], "path": ["x"]}
    assert call_parameters(load, params, "here") == params


def test_a_whole_number_may_be_written_with_a_point(plugin):
    size = call_parameters(load_plugin(plugin(DATASET), "dataset").load, {"size": 8.0}, "here")["size"]
    assert size == 8 and type(size) is int


def test_an_annotation_that_says_none_takes_none():
    def load(*, size: int | None = 3):
        return size

    assert call_parameters(load, {"size": None}, "here") == {"size": None}


def test_functions_that_share_parameters():
    def fit(images, labels, *, seed, epochs=3):
        return None

    def load(*, state, dim=2):
        return None

    assert call_parameters(load, {"epochs": 4, "dim": 5}, "here", also=[fit]) == {"dim": 5}
    expected = "here: unknown parameter 'epoch'; did you mean 'epochs'? (known: dim, epochs)"
    assert message(call_parameters, load, {"epoch": 4}, "here", also=[fit]) == expected
    assert message(call_parameters, load, {"epochs": "4"}, "here", also=[fit]).startswith("here.epochs: '4' is text")


def test_no_parameters_at_all():
    assert (
        message(call_parameters, lambda *, seed: 1, {"n": 1}, "here") == "here: unknown parameter 'n' (it takes none)"
    )


def test_a_function_is_offered_what_it_names():
    assert offered(lambda samples, *, seed: 1, seed=3, device="cpu") == {"seed": 3}


def test_an_error_inside_a_plugin_is_placed_in_it(plugin):
    path = plugin("def load(*, seed):\n    return int('x\\ny')\n")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        load_plugin(path, "dataset").load(seed=0)
    assert failure(caught.value, path).startswith(f"{path}:2: ValueError: invalid literal for int()")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_plugins_load(path):
    load_plugin(path, path.parent.name.removesuffix("s"))
