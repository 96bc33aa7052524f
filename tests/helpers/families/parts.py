"""What the families share: text encoders, tokenizers, autoencoders and schedulers, as small as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn

from pytest_seedshift.models.base import Axes

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
VOCABULARY = {token: index for index, token in enumerate(["<pad>", "<s>", *BYTES, "</s>"])}
WORDS = len(VOCABULARY)
END = VOCABULARY["</s>"]
CHAT = (
    "{% for message in messages %}<{{ message['role'] }}> "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{{ message['content'][0]['text'] }}{% endif %}{% endfor %}"
)


PLAIN = Axes()
FRAMED = Axes(channels=1, height=2, width=3)
LAST = Axes(channels=3, height=1, width=2)


@dataclass(frozen=True)
class Family:
    """A family of pipelines: how a small one is built, what its calls are given, and what its seed vector is."""

    build: Callable[[], DiffusionPipeline]
    seed_shape: tuple[int, ...]
    axes: Axes = PLAIN
    call: dict[str, Any] = field(default_factory=dict)
    steps: int = 2
    """How many are reported."""
    together: Callable[[Pair], object] = lambda _: None
    """Pairs are generated in one call where this is the same for them."""

    @property
    def arguments(self) -> dict[str, Any]:
        return {"num_inference_steps": 2, **self.call}


def alive(module: nn.Module, gain: float = 1.0) -> nn.Module:
    """Draw every weight: by the number of inputs, so that signals neither die nor explode.

    Where they explode even so, and rounding errors with them, `gain` makes them smaller.
    """
    generator = torch.Generator().manual_seed(0)
    for name, weight in module.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.1 * noise
        elif weight.ndim < 2:
            value = 1 + 0.1 * noise
        else:
            value = gain * noise / weight[0].numel() ** 0.5
        weight.data.copy_(value)
    return module.eval().requires_grad_(False)


def tokenizer(length: int = 77, **options: Any) -> Any:
    """A tokenizer of which every byte is a token, between a first and a last one."""
    plain = Tokenizer(models.BPE(vocab=VOCABULARY, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    plain.decoder = decoders.ByteLevel()
    plain.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", VOCABULARY["<s>"]), ("</s>", END)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        model_max_length=length,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=CHAT,
        **options,
    )


def clip(kind: type = transformers.CLIPTextModel, width: int = 32) -> nn.Module:
    config = transformers.CLIPTextConfig(
        vocab_size=WORDS,
        hidden_size=width,
        intermediate_size=64,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
    )
    return alive(kind(config))


def projected_clip() -> nn.Module:
    return clip(transformers.CLIPTextModelWithProjection)


def t5(kind: type = transformers.T5EncoderModel, config: type = transformers.T5Config) -> nn.Module:
    size = {"vocab_size": WORDS, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    return alive(kind(config(**size, pad_token_id=0, eos_token_id=END)))


def decoder_config(kind: type, **more: Any) -> Any:
    return kind(
        vocab_size=WORDS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
        **more,
    )


def gemma2() -> nn.Module:
    return alive(transformers.Gemma2Model(decoder_config(transformers.Gemma2Config)))


def qwen3(kind: type = transformers.Qwen3Model) -> nn.Module:
    return alive(kind(decoder_config(transformers.Qwen3Config)))


def qwen25_vl() -> nn.Module:
    text = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": END,
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [0],
    }
    config = transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=0, video_token_id=0, vision_start_token_id=0
    )
    return alive(transformers.Qwen2_5_VLForConditionalGeneration(config))


def vae(channels: int = 4, levels: int = 2, kind: type = diffusers.AutoencoderKL, **more: Any) -> nn.Module:
    return alive(
        kind(
            block_out_channels=(16,) * levels,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            latent_channels=channels,
            norm_num_groups=8,
            sample_size=32,
            **more,
        )
    )


def still_vae(channels: int = 16, levels: int = 2) -> nn.Module:
    """As flow models have it: without the convolutions around the latents, and with a shift."""
    return vae(channels, levels, shift_factor=0.1, scaling_factor=0.3, use_quant_conv=False, use_post_quant_conv=False)


def framed_vae() -> nn.Module:
    """Of videos, of which a picture is one frame."""
    return alive(
        diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        )
    )


def unet(channels: int = 4, context: int = 32, **more: Any) -> nn.Module:
    settings: dict[str, Any] = {
        "sample_size": 16,
        "in_channels": channels,
        "out_channels": channels,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": context,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return alive(diffusers.UNet2DConditionModel(**settings | more))


def flow(**options: Any) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**options)


def ddim(**options: Any) -> Any:
    return diffusers.DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, **options)


def processor() -> Any:
    """A tokenizer with what prepares pictures and videos, of which a text-to-image pipeline has none."""
    return transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(),
        tokenizer=tokenizer(1024),
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=CHAT,
    )
