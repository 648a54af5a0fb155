"""The lighter forward pass of a U-Net on a CPU is the same function, with the same gradients, of the same weights."""

from pathlib import Path

import pytest
import torch

from selfloop.cpu_unet import lighten
from selfloop.descent import autocast
from selfloop.plugins import load_plugin

PLUGIN = Path(__file__).parents[2] / "workflow/plugins/generators/ddpm.py"
SETTINGS = {
    "paper-like": {"block_out_channels": (8, 8, 16), "attention": (False, True, False), "layers_per_block": 2},
    "default-like": {"block_out_channels": (8, 16), "attention": (False, False), "layers_per_block": 1,
                     "mid_attention": False},
    "classes": {"block_out_channels": (8, 16), "attention": (True, True), "layers_per_block": 1, "num_classes": 3},
}  # fmt: skip


def networks(name):
    """Return (the network, another with the same weights, a batch for them)."""
    plugin = load_plugin(PLUGIN, "generator")
    settings = {"norm_num_groups": 4, "attention_head_dim": 4, "mid_attention": True, "dropout": 0.0,
                "zero_init": False, "num_classes": None} | SETTINGS[name]  # fmt: skip
    made = [plugin.make_network((3, 12, 8), **settings, seed=0, device="cpu") for _ in range(2)]
    stream = torch.Generator().manual_seed(1)
    batch = [torch.randn(5, 3, 12, 8, generator=stream), torch.tensor([0, 10, 400, 800, 999])]
    return *made, batch + ([torch.tensor([0, 1, 2, 3, 0])] if settings["num_classes"] else [])


@pytest.mark.parametrize("name", SETTINGS)
def test_output_and_gradients_are_those_of_the_network(name):
    plain, light, batch = networks(name)
    assert lighten(light) > 0
    values = []
    for network in (plain, light):
        inputs = [batch[0].clone().requires_grad_(True), *batch[1:]]
        output = network(*inputs, return_dict=False)[0]
        (output * torch.linspace(-1, 2, output.numel()).view_as(output)).sum().backward()
        values.append([output.detach(), inputs[0].grad, *(p.grad for p in network.parameters())])
    assert float(values[0][0].std()) > 0.01
    largest = max(float(value.abs().max()) for value in values[0])
    for expected, found in zip(*values, strict=True):  # the gradient of a bias of keys is 0 but for rounding
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * largest)


@pytest.mark.parametrize("name", SETTINGS)
def test_without_gradients_it_overwrites_only_its_own(name):
    plain, light, batch = networks(name)
    lighten(light)
    kept = batch[0].clone()
    with torch.inference_mode():
        expected, found, again = (network(*batch, return_dict=False)[0] for network in (plain, light, light))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(found, again) and torch.equal(batch[0], kept)


def test_gradients_under_bf16_autocast_are_as_near_to_float32_as_the_network_s():
    plain, light, batch = networks("paper-like")
    lighten(light)

    def gradient(network, precision):
        network.zero_grad()
        with autocast("cpu", precision):
            loss = network(*batch, return_dict=False)[0].float().square().mean()
        loss.backward()
        return torch.cat([p.grad.flatten() for p in network.parameters()])

    exact = gradient(plain, "fp32")
    errors = [float((gradient(network, "bf16") - exact).norm() / exact.norm()) for network in (plain, light)]
    assert 0 < errors[1] < 1.5 * errors[0] < 0.1


def test_with_bf16_weights_it_is_as_near_to_float32_as_the_network_is():
    plain, light, batch = networks("paper-like")
    lighten(light)
    with torch.inference_mode():
        exact = plain(*batch, return_dict=False)[0]
        batch[0] = batch[0].bfloat16()
        errors = []
        for network in (plain, light):
            torch.nn.Module.to(network, torch.bfloat16)
            errors.append(float((network(*batch, return_dict=False)[0].float() - exact).abs().max()))
    assert 0 < errors[1] < 2 * errors[0] < 0.2


@pytest.mark.parametrize(("compile", "device", "lighter"), [(False, "cpu", True), (True, "cpu", False),
                                                            (False, "cuda", False), (True, "cuda", False)])  # fmt: skip
def test_the_ddpm_is_lighter_on_a_cpu_alone_and_uncompiled(compile, device, lighter, monkeypatch):
    network = networks("default-like")[0]
    monkeypatch.setattr(torch, "compile", lambda module: module)
    assert load_plugin(PLUGIN, "generator")._faster(network, compile, device) is network
    assert any("forward" in vars(module) for module in network.modules()) == lighter


def test_in_bf16_it_is_as_near_to_float32_as_the_network_is():
    plain, light, batch = networks("paper-like")
    lighten(light)
    with torch.inference_mode():
        exact = plain(*batch, return_dict=False)[0]
        with autocast("cpu", "bf16"):
            errors = [(n(*batch, return_dict=False)[0].float() - exact).abs().max() for n in (plain, light)]
    assert 0 < errors[1] < 2 * errors[0] < 0.2


def test_dropout_without_attention_is_drawn_alike():
    plain, light, batch = networks("default-like")
    lighten(light)
    outputs = []
    for network in (plain, light):
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.5
        torch.manual_seed(3)
        outputs.append(network.train()(*batch, return_dict=False)[0].detach())
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outputs[0], plain.eval()(*batch, return_dict=False)[0])


def test_every_block_of_the_ddpm_is_known_and_weights_keep_their_names():
    _, light, _ = networks("paper-like")
    names = list(light.state_dict())
    blocks = [
        module for module in light.modules() if type(module).__name__ in ("ResnetBlock2D", "Upsample2D", "Attention")
    ]
    assert len(blocks) == 25 and lighten(light) == 25  # 17 residual, 6 attention, 2 doublings
    assert list(light.state_dict()) == names


def test_what_it_does_not_know_is_left_alone():
    from diffusers.models.attention_processor import Attention
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.upsampling import Upsample2D

    others = torch.nn.ModuleList([
        ResnetBlock2D(in_channels=4, groups=2, time_embedding_norm="scale_shift"),
        ResnetBlock2D(in_channels=4, groups=2, output_scale_factor=2.0),
        ResnetBlock2D(in_channels=4, groups=2, up=True),
        ResnetBlock2D(in_channels=4, groups=2, non_linearity="gelu"),
        Upsample2D(4, use_conv=False),
        Upsample2D(4, use_conv_transpose=True),
        Attention(4, heads=1, dim_head=4, residual_connection=True),
        Attention(4, heads=1, dim_head=4, norm_num_groups=2),
        Attention(4, heads=1, dim_head=4, norm_num_groups=2, residual_connection=True, rescale_output_factor=2.0),
        torch.nn.Conv2d(4, 4, 3),
    ])  # fmt: skip
    assert lighten(others) == 0
