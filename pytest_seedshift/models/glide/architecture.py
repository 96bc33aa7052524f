"""How large a stage of GLIDE is, in the released code's words and in diffusers', and what its weights are called.

Both of GLIDE's UNets are made of blocks that diffusers has; only the names differ, and how an attention's matrices are
joined: in the released files each head's queries, keys and values follow one another, head by head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_ENDS = ("weight", "bias")

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}

_OUTER = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "transformer_proj": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}

_TEXT = {
    "attn.c_proj": "self_attn.out_proj",
    "ln_1": "norm1",
    "ln_2": "norm2",
    "mlp.c_fc": "linear1",
    "mlp.c_proj": "linear2",
}

_TEXT_OUTER = (
    "token_embedding.weight",
    "positional_embedding",
    "padding_embedding",
    "final_ln.weight",
    "final_ln.bias",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """The size of a stage.

    Attributes:
        image_size: of the pictures that it draws, in pixels.
        in_channels: 3 for a base, 6 for an upsampler.
        channels: of the first level.
        multipliers: of `channels`, one a level.
        res_blocks: of a level on the way down; one more on the way up.
        attention: sizes in pixels at which there is attention.
        head_channels: of an attention's head in the UNet.
        context: tokens of a prompt.
        text_width: of the text transformer.
        text_layers: likewise.
        text_heads: likewise.
        vocabulary: tokens.
        groups: of a group norm.
    """

    image_size: int
    in_channels: int
    channels: int
    multipliers: tuple[int, ...]
    res_blocks: int
    attention: tuple[int, ...]
    head_channels: int = 64
    context: int = 128
    text_width: int = 512
    text_layers: int = 16
    text_heads: int = 8
    vocabulary: int = 50257
    groups: int = 32

    def unet(self) -> dict[str, Any]:
        """The arguments of diffusers' `UNet2DConditionModel`."""
        attends = self._attends()
        down = ["SimpleCrossAttnDownBlock2D" if each else "ResnetDownsampleBlock2D" for each in attends]
        up = ["SimpleCrossAttnUpBlock2D" if each else "ResnetUpsampleBlock2D" for each in reversed(attends)]
        return {
            "sample_size": self.image_size,
            "in_channels": self.in_channels,
            "out_channels": 6,
            "block_out_channels": tuple(self.channels * each for each in self.multipliers),
            "layers_per_block": self.res_blocks,
            "down_block_types": tuple(down),
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
            "up_block_types": tuple(up),
            "resnet_time_scale_shift": "scale_shift",
            "attention_head_dim": self.head_channels,
            "cross_attention_dim": self.text_width,
            "norm_num_groups": self.groups,
            "norm_eps": 1e-5,
            "act_fn": "silu",
            "flip_sin_to_cos": True,
            "freq_shift": 0,
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": self.text_width,
        }

    def text(self) -> dict[str, Any]:
        """The arguments of `GlideTextEncoder`."""
        return {
            "vocab_size": self.vocabulary,
            "context": self.context,
            "width": self.text_width,
            "layers": self.text_layers,
            "heads": self.text_heads,
        }

    def _attends(self) -> list[bool]:
        """By level, whether it has attention."""
        return [self.image_size >> level in self.attention for level in range(len(self.multipliers))]

    def blocks(self) -> Iterator[tuple[str, str, str]]:
        """The parts of the UNet between its ends.

        Yields:
            The released name, diffusers' name, and `resnet` or `attention`.
        """
        attends = self._attends()
        last = len(attends) - 1
        place = 1
        for level, attention in enumerate(attends):
            for layer in range(self.res_blocks):
                yield f"input_blocks.{place}.0", f"down_blocks.{level}.resnets.{layer}", "resnet"
                if attention:
                    yield f"input_blocks.{place}.1", f"down_blocks.{level}.attentions.{layer}", "attention"
                place += 1
            if level < last:
                yield f"input_blocks.{place}.0", f"down_blocks.{level}.downsamplers.0", "resnet"
                place += 1
        yield "middle_block.0", "mid_block.resnets.0", "resnet"
        yield "middle_block.1", "mid_block.attentions.0", "attention"
        yield "middle_block.2", "mid_block.resnets.1", "resnet"
        place = 0
        for level, attention in enumerate(reversed(attends)):
            for layer in range(self.res_blocks + 1):
                yield f"output_blocks.{place}.0", f"up_blocks.{level}.resnets.{layer}", "resnet"
                if attention:
                    yield f"output_blocks.{place}.1", f"up_blocks.{level}.attentions.{layer}", "attention"
                if layer == self.res_blocks and level < last:
                    yield f"output_blocks.{place}.{1 + attention}", f"up_blocks.{level}.upsamplers.0", "resnet"
                place += 1


BASE = Architecture(64, 3, 192, (1, 2, 3, 4), 3, (32, 16, 8))
"""The released base."""

UPSAMPLER = Architecture(256, 6, 192, (1, 1, 2, 2, 4, 4), 2, (32, 16, 8))
"""The released upsampler."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a released weight goes.

    Attributes:
        theirs: its released name.
        ours: the names of its parts, or one name for all of them, one part after the other.
        parts: how many weights lie in it head by head.
        head: channels of a head.
    """

    theirs: str
    ours: tuple[str, ...]
    parts: int = 1
    head: int = 0

    def moved(self, tensor: Tensor) -> dict[str, Tensor]:
        """The weight, (heads·parts·head, …), by its new names. A convolution over a sequence becomes a matrix."""
        matrix = tensor.squeeze(-1) if tensor.ndim == 3 else tensor
        split = apart(matrix, self.parts, self.head) if self.parts > 1 else (matrix,)
        return dict(zip(self.ours, split if len(self.ours) > 1 else (torch.cat(split),), strict=True))


def apart(joined: Tensor, parts: int, head: int) -> tuple[Tensor, ...]:
    """Take apart what lies head by head: of each head its first part, its second part, ….

    Args:
        joined: (heads·parts·head, …).
        parts: how many.
        head: channels of a head in each part.

    Returns:
        So many of (heads·head, …).
    """
    split = joined.reshape(-1, parts, head, *joined.shape[1:]).unbind(1)
    return tuple(part.flatten(0, 1).contiguous() for part in split)


def unet_moves(size: Architecture) -> Iterator[Move]:
    """Where the weights of a stage's UNet go; of some res blocks there is no `skip_connection`."""
    for theirs, ours in _OUTER.items():
        yield from _both(theirs, ours)
    for theirs, ours, kind in size.blocks():
        if kind == "resnet":
            for inner, name in _RESNET.items():
                yield from _both(f"{theirs}.{inner}", f"{ours}.{name}")
            continue
        yield from _both(f"{theirs}.norm", f"{ours}.group_norm")
        yield from _both(f"{theirs}.proj_out", f"{ours}.to_out.0")
        for inner, names in (("qkv", ("to_q", "to_k", "to_v")), ("encoder_kv", ("add_k_proj", "add_v_proj"))):
            for end in _ENDS:
                targets = tuple(f"{ours}.{name}.{end}" for name in names)
                yield Move(f"{theirs}.{inner}.{end}", targets, len(names), size.head_channels)


def text_moves(size: Architecture) -> Iterator[Move]:
    """Where the weights of a stage's text transformer go."""
    for name in _TEXT_OUTER:
        yield Move(name, (name,))
    for layer in range(size.text_layers):
        theirs, ours = f"transformer.resblocks.{layer}", f"transformer.layers.{layer}"
        for inner, name in _TEXT.items():
            yield from _both(f"{theirs}.{inner}", f"{ours}.{name}")
        for end in _ENDS:
            target = f"{ours}.self_attn.in_proj_{end}"
            yield Move(f"{theirs}.attn.c_qkv.{end}", (target,), 3, size.text_width // size.text_heads)


def _both(theirs: str, ours: str) -> Iterator[Move]:
    for end in _ENDS:
        yield Move(f"{theirs}.{end}", (f"{ours}.{end}",))
