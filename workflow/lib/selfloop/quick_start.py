"""Start a stage in half the time: import of diffusers only what the stage uses, and of torch not its compiler.

`from diffusers import UNet2DModel` loads every transformer of the package, its loaders and hooks, `transformers`,
`scipy.stats` and torch's compiler: 6 s on top of torch's 2.5, in each of two processes a generation. The module files
are the same ones here; only the `__init__` files that import everything are passed over. Where a release of diffusers
does not allow it, the ordinary import is taken. tests/unit/test_quick_start.py compares the two.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = ("models", "models.unets", "models.transformers", "loaders", "hooks", "schedulers")
_OPTIONAL = ("scipy", "transformers", "peft", "accelerate", "bitsandbytes")
_CLASSES = {
    "UNet2DModel": "diffusers.models.unets.unet_2d",
    "DDIMScheduler": "diffusers.schedulers.scheduling_ddim",
    "DPMSolverMultistepScheduler": "diffusers.schedulers.scheduling_dpmsolver_multistep",
}


def diffusers_class(name: str) -> type:
    """Return the diffusers class ``name`` (UNet2DModel, DDIMScheduler, DPMSolverMultistepScheduler)."""
    if "diffusers" in sys.modules and not hasattr(sys.modules["diffusers"], "_selfloop_quick"):
        return getattr(sys.modules["diffusers"], name)
    try:
        with _without_optional():
            _bare_packages()
            return getattr(importlib.import_module(_CLASSES[name]), name)
    except Exception:
        for module in [m for m in sys.modules if m == "diffusers" or m.startswith("diffusers.")]:
            del sys.modules[module]
        return getattr(importlib.import_module("diffusers"), name)


@contextlib.contextmanager
def without_compiler(skip: bool = True) -> Iterator[None]:
    """Keep torch's optimizers from importing torch._dynamo (3 s), which they load only to switch it off for themselves.

    For a training that compiles nothing (``skip`` False does nothing). A process that has the compiler already is left
    alone, and afterwards it can be imported as ever.
    """
    if not skip or "torch._dynamo" in sys.modules:
        yield
        return
    stub = types.ModuleType("torch._dynamo")
    stub.disable = lambda fn=None, *_, **__: fn if fn is not None else (lambda decorated: decorated)
    stub.graph_break = lambda *_, **__: None
    stub.is_compiling = lambda: False
    sys.modules["torch._dynamo"] = stub
    try:
        yield
    finally:
        del sys.modules["torch._dynamo"]


@contextlib.contextmanager
def _without_optional() -> Iterator[None]:
    """Let optional dependencies, and torch's compiler, look absent while diffusers asks for them.

    Nor is it given the names of all files of all installed packages, which it reads for the version of a few optional
    ones.
    """
    hidden = [name for name in (*_OPTIONAL, "torch._dynamo") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    of_all_files = importlib.metadata.packages_distributions
    importlib.metadata.packages_distributions = dict
    try:
        yield
    finally:
        importlib.metadata.packages_distributions = of_all_files
        for name in hidden:
            sys.modules.pop(name, None)


class _Bare(types.ModuleType):
    """A package whose ``__init__`` has not run; it runs when anybody asks the package for something."""

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        path = Path(self.__path__[0], "__init__.py")
        spec = importlib.util.spec_from_file_location(self.__name__, path, submodule_search_locations=self.__path__)
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.__name__] = module
        spec.loader.exec_module(module)
        return getattr(sys.modules[self.__name__], name)


def _bare_packages() -> None:
    """Put stand-ins for the packages of diffusers whose __init__ imports everything into sys.modules."""
    import diffusers.utils

    diffusers = sys.modules["diffusers"]
    diffusers._selfloop_quick = True
    root = Path(importlib.util.find_spec("diffusers").origin).parent
    for package in _PACKAGES:
        name = f"diffusers.{package}"
        if name not in sys.modules:
            module = _Bare(name)
            module.__path__ = [str(root.joinpath(*package.split(".")))]
            sys.modules[name] = module
