"""The quick import gives the same classes: each case in a process of its own."""

import json
import subprocess
import sys

COMMON = """
import hashlib, json, sys, time, torch
torch.manual_seed(0)
network = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    norm_num_groups=8, layers_per_block=1)
x = torch.linspace(-1, 1, 128).reshape(2, 1, 8, 8)
y = network(x, torch.tensor([3, 900]), return_dict=False)[0]
schedulers = [cls(num_train_timesteps=100, prediction_type="v_prediction") for cls in (DDIM, DPM)]
for scheduler in schedulers:
    scheduler.set_timesteps(5)
    x = scheduler.step(y, scheduler.timesteps[0], x, return_dict=False)[0]
digest = hashlib.sha256(y.detach().numpy().tobytes() + x.detach().numpy().tobytes()).hexdigest()
print(json.dumps([sorted(network.state_dict()), digest, "transformers" in sys.modules, "torch._dynamo" in sys.modules]))
"""
QUICK = """
from selfloop.quick_start import diffusers_class
UNet2DModel, DDIM, DPM = map(diffusers_class, ("UNet2DModel", "DDIMScheduler", "DPMSolverMultistepScheduler"))
"""
ORDINARY = """
from diffusers import UNet2DModel, DDIMScheduler as DDIM, DPMSolverMultistepScheduler as DPM
"""


def run(code):
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_quick_and_ordinary_import_are_the_same_network_and_samplers():
    quick, ordinary = run(QUICK + COMMON), run(ORDINARY + COMMON)
    assert quick[:2] == ordinary[:2]
    assert quick[2:] == [False, False] and ordinary[3], "the quick one is quick because these are not loaded"


def test_the_rest_of_diffusers_can_be_imported_after():
    code = """
import json
from selfloop.quick_start import diffusers_class
quick = diffusers_class("DDIMScheduler")
from diffusers import DDPMScheduler, DDIMScheduler
print(json.dumps([DDIMScheduler is quick, DDPMScheduler(num_train_timesteps=7).config.num_train_timesteps]))
"""
    assert run(code) == [True, 7]


def test_where_the_quick_import_fails_the_ordinary_one_is_taken():
    code = """
import selfloop.quick_start as q
q._CLASSES["UNet2DModel"] = "diffusers.models.no_such_module"
cls = q.diffusers_class("UNet2DModel")
import json, diffusers
print(json.dumps(cls is diffusers.UNet2DModel))
"""
    assert run(code) is True


def test_an_optimizer_steps_without_the_compiler_and_the_compiler_can_be_imported_after():
    code = """
import json, sys, torch
from selfloop.quick_start import without_compiler
p = torch.nn.Parameter(torch.ones(3))
with without_compiler():
    optimizer = torch.optim.AdamW([p], lr=0.1)
    p.sum().backward()
    optimizer.step()
absent = "torch._dynamo" not in sys.modules
import torch._dynamo
print(json.dumps([absent, bool((p < 1).all()), hasattr(torch._dynamo, "optimize")]))
"""
    assert run(code) == [True, True, True]
