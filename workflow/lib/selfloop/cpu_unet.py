"""The U-Net of diffusers on a CPU: the same function of the same weights, with fewer passes over memory and products.

On a CPU an element is read and written in the time of some ten products, and diffusers writes for generality: a block
divides its output by 1, adds into new memory, and doubles an image before it convolves it. ``lighten`` gives the
modules of a UNet2DModel whose settings it knows a forward pass without that, which differs by rounding; other settings
it leaves alone.
"""

import types

import torch
from torch.nn import functional

# Nearest-neighbour doubling and then a 3-tap filter is one filter of 4 taps on the small image, with stride 2: every
# output sees two pixels, one of them through two taps at once. The rows are the 4 taps, the columns the 3.
_DOUBLING = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def lighten(network: torch.nn.Module) -> int:
    """Replace the forward passes of ``network``'s blocks in place; return how many modules were replaced.

    Weights, their names and what a checkpoint holds stay as they are.
    """
    known = {"ResnetBlock2D": (_is_plain_block, _block), "Upsample2D": (_is_plain_doubling, _double),
             "Attention": (_is_plain_attention, _attend)}  # fmt: skip
    replaced = 0
    for module in network.modules():
        is_plain, forward = known.get(type(module).__name__, (None, None))
        if is_plain is not None and is_plain(module):
            module.forward = types.MethodType(forward, module)
            replaced += 1
    return replaced


def _is_plain_block(block) -> bool:
    return (
        block.time_embedding_norm == "default"
        and block.time_emb_proj is not None
        and not block.skip_time_act
        and block.upsample is None
        and block.downsample is None
        and block.output_scale_factor == 1
        and isinstance(block.nonlinearity, torch.nn.SiLU)
    )


def _block(self, x, temb):
    """A residual block (Ho et al. 2020) of x B x C x H x W and the embedded time B x E, to B x C' x H x W.

    What only it has seen is overwritten, where no gradient asks for it later.
    """
    overwrite = not torch.is_grad_enabled()
    y = self.conv1(functional.silu(self.norm1(x), inplace=overwrite))
    y += self.time_emb_proj(functional.silu(temb))[:, :, None, None]
    y = self.conv2(self.dropout(functional.silu(self.norm2(y), inplace=overwrite)))
    y += x if self.conv_shortcut is None else self.conv_shortcut(x)
    return y


def _is_plain_doubling(layer) -> bool:
    convolution = getattr(layer, "conv", None)
    return (
        layer.use_conv
        and not layer.use_conv_transpose
        and layer.interpolate
        and layer.norm is None
        and isinstance(convolution, torch.nn.Conv2d)
        and (convolution.kernel_size, convolution.stride, convolution.padding) == ((3, 3), (1, 1), (1, 1))
    )


def _double(self, x, output_size=None):
    """Double the sides and convolve, B x C x H x W to B x C x 2H x 2W, with 4 products a pixel and channel, not 9.

    The kernel is summed in float32 from the weights.
    """
    assert output_size is None, "a U-Net whose resolutions are not exact doublings"
    with torch.autocast("cpu", enabled=False):
        weight = self.conv.weight  # out x in x 3 x 3
        taps = torch.tensor(_DOUBLING)
        kernel = weight.float().flatten(2) @ torch.kron(taps, taps).T
        kernel = kernel.to(weight.dtype).unflatten(2, (4, 4)).transpose(0, 1)
    return functional.conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


def _is_plain_attention(attention) -> bool:
    return (
        attention.group_norm is not None
        and attention.spatial_norm is None
        and attention.norm_q is None
        and attention.norm_k is None
        and not attention.norm_cross
        and attention.residual_connection
        and attention.rescale_output_factor == 1
        and attention.to_out[1].p == 0
    )


def _attend(self, x, temb=None):
    """Self-attention over the H x W places of x B x C x H x W; ``temb`` is for other norms than these.

    Its softmax is in float32, which a CPU has faster than bf16.
    """
    n, channels, height, width = x.shape
    places = self.group_norm(x.view(n, channels, height * width)).transpose(1, 2)
    split = (n, height * width, self.heads, -1)
    query, key, value = (project(places).view(split).transpose(1, 2) for project in (self.to_q, self.to_k, self.to_v))
    with torch.autocast("cpu", enabled=False):
        seen = functional.scaled_dot_product_attention(query.float(), key.float(), value.float()).to(query.dtype)
    y = self.to_out[0](seen.transpose(1, 2).reshape(n, height * width, channels))
    return x + y.transpose(1, 2).reshape(x.shape)
