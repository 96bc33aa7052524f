"""Small pipelines of diffusers' families, made from configurations alone: random weights, float32, on the CPU.

Every weight is drawn anew, so that none is zero as at the start of a training (with zeros, nothing would reach the
image) and that two pipelines of one family are the same.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn

from pytest_seedshift.models.base import Axes
from pytest_seedshift.models.glide.architecture import Architecture
from pytest_seedshift.models.glide.pipeline import GlidePipeline
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler
from pytest_seedshift.models.glide.text import GlideTextEncoder
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer

if TYPE_CHECKING:
    from pytest_seedshift.pairs import Pair

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


# Text encoders


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


# Decoders


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


# Denoisers


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


# Pipelines


def stable_diffusion(scheduler: Any = None, kind: type = diffusers.StableDiffusionPipeline, **more: Any) -> Any:
    return kind(
        vae=vae(),
        text_encoder=clip(),
        tokenizer=tokenizer(),
        unet=unet(**more),
        scheduler=scheduler or ddim(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def v_prediction() -> Any:
    return stable_diffusion(
        ddim(prediction_type="v_prediction", steps_offset=1, clip_sample=False),
        use_linear_projection=True,
        attention_head_dim=(2, 4),
    )


def consistency() -> Any:
    scheduler = diffusers.LCMScheduler(beta_schedule="scaled_linear", steps_offset=1)
    return stable_diffusion(scheduler, diffusers.LatentConsistencyModelPipeline, time_cond_proj_dim=32)


def stable_diffusion_xl() -> Any:
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=clip(),
        text_encoder_2=projected_clip(),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=unet(
            context=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=32 + 6 * 8,
            use_linear_projection=True,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading"),
        add_watermarker=False,
    )


def stable_diffusion_3() -> Any:
    return diffusers.StableDiffusion3Pipeline(
        transformer=alive(
            diffusers.SD3Transformer2DModel(
                sample_size=16,
                in_channels=16,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=4,
                joint_attention_dim=64,
                caption_projection_dim=32,
                pooled_projection_dim=64,
                pos_embed_max_size=16,
            )
        ),
        scheduler=flow(shift=3.0),
        vae=still_vae(),
        text_encoder=projected_clip(),
        tokenizer=tokenizer(),
        text_encoder_2=projected_clip(),
        tokenizer_2=tokenizer(),
        text_encoder_3=alive(
            transformers.T5EncoderModel(
                transformers.T5Config(vocab_size=WORDS, d_model=64, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
            )
        ),
        tokenizer_3=tokenizer(),
    )


def flux() -> Any:
    return diffusers.FluxPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=still_vae(4),
        text_encoder=clip(),
        tokenizer=tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=tokenizer(),
        transformer=alive(
            diffusers.FluxTransformer2DModel(
                in_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=32,
                pooled_projection_dim=32,
                guidance_embeds=True,
                axes_dims_rope=(4, 4, 8),
            )
        ),
    )


def flux_2() -> Any:
    return diffusers.Flux2KleinPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=vae(4, kind=diffusers.AutoencoderKLFlux2),
        text_encoder=qwen3(transformers.Qwen3ForCausalLM),
        tokenizer=tokenizer(512),
        transformer=alive(
            diffusers.Flux2Transformer2DModel(
                in_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=96,
                timestep_guidance_channels=16,
                axes_dims_rope=(4, 4, 4, 4),
                guidance_embeds=False,
            )
        ),
    )


def chroma() -> Any:
    return diffusers.ChromaPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=still_vae(4),
        text_encoder=t5(),
        tokenizer=tokenizer(),
        transformer=alive(
            diffusers.ChromaTransformer2DModel(
                in_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=32,
                axes_dims_rope=(4, 4, 8),
                approximator_num_channels=8,
                approximator_hidden_dim=16,
                approximator_layers=1,
            )
        ),
    )


def pixart(kind: type = diffusers.PixArtAlphaPipeline) -> Any:
    return kind(
        tokenizer=tokenizer(),
        text_encoder=t5(),
        vae=vae(),
        transformer=alive(
            diffusers.PixArtTransformer2DModel(
                sample_size=16,
                num_layers=2,
                patch_size=2,
                attention_head_dim=8,
                num_attention_heads=4,
                caption_channels=32,
                in_channels=4,
                cross_attention_dim=32,
                out_channels=8,
                use_additional_conditions=False,
            )
        ),
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )


def pixart_sigma() -> Any:
    return pixart(diffusers.PixArtSigmaPipeline)


def sana() -> Any:
    return diffusers.SanaPipeline(
        tokenizer=tokenizer(),
        text_encoder=gemma2(),
        vae=alive(
            diffusers.AutoencoderDC(
                latent_channels=4,
                attention_head_dim=2,
                encoder_block_types=("ResBlock", "EfficientViTBlock"),
                decoder_block_types=("ResBlock", "EfficientViTBlock"),
                encoder_block_out_channels=(8, 8),
                decoder_block_out_channels=(8, 8),
                encoder_qkv_multiscales=((), (5,)),
                decoder_qkv_multiscales=((), (5,)),
                encoder_layers_per_block=(1, 1),
                decoder_layers_per_block=(1, 1),
                downsample_block_type="conv",
                upsample_block_type="interpolate",
                decoder_norm_types="rms_norm",
                decoder_act_fns="silu",
            )
        ),
        transformer=alive(
            diffusers.SanaTransformer2DModel(
                in_channels=4,
                out_channels=4,
                num_layers=1,
                num_attention_heads=2,
                attention_head_dim=8,
                num_cross_attention_heads=2,
                cross_attention_head_dim=8,
                cross_attention_dim=16,
                caption_channels=32,
                sample_size=16,
            )
        ),
        scheduler=flow(shift=3.0),
    )


def kandinsky_22() -> Any:
    vision = transformers.CLIPVisionConfig(
        hidden_size=32,
        image_size=16,
        projection_dim=32,
        intermediate_size=32,
        num_attention_heads=4,
        num_hidden_layers=1,
        patch_size=8,
    )
    return diffusers.KandinskyV22CombinedPipeline(
        unet=unet(
            out_channels=8,
            addition_embed_type="image",
            encoder_hid_dim=32,
            encoder_hid_dim_type="image_proj",
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            resnet_time_scale_shift="scale_shift",
            class_embed_type=None,
        ),
        scheduler=diffusers.DDPMScheduler(variance_type="learned_range", clip_sample=False),
        movq=movq(),
        prior_prior=alive(
            diffusers.PriorTransformer(
                num_attention_heads=2, attention_head_dim=8, embedding_dim=32, num_layers=1, num_embeddings=77
            )
        ),
        prior_image_encoder=alive(transformers.CLIPVisionModelWithProjection(vision)),
        prior_text_encoder=projected_clip(),
        prior_tokenizer=tokenizer(),
        prior_scheduler=diffusers.UnCLIPScheduler(
            variance_type="fixed_small_log",
            prediction_type="sample",
            num_train_timesteps=1000,
            clip_sample=True,
            clip_sample_range=10.0,
        ),
        prior_image_processor=transformers.CLIPImageProcessor(),
    )


def movq() -> nn.Module:
    return alive(
        diffusers.VQModel(
            block_out_channels=(32, 32),  # its norms are of 32 groups, whatever is said
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_type="spatial",
            num_vq_embeddings=12,
            vq_embed_dim=4,
        ),
        gain=0.25,
    )


def kandinsky_3() -> Any:
    return diffusers.Kandinsky3Pipeline(
        tokenizer=tokenizer(),
        text_encoder=t5(),
        unet=alive(
            diffusers.Kandinsky3UNet(
                in_channels=4,
                time_embedding_dim=16,
                groups=2,
                attention_head_dim=4,
                layers_per_block=2,
                block_out_channels=(16, 32),
                cross_attention_dim=16,
                encoder_hid_dim=32,
            )
        ),
        scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False),
        movq=movq(),
    )


def kandinsky_5() -> Any:
    pipeline = diffusers.Kandinsky5T2IPipeline(
        transformer=alive(
            diffusers.Kandinsky5Transformer3DModel(
                in_visual_dim=4,
                in_text_dim=32,
                in_text_dim2=32,
                time_dim=16,
                out_visual_dim=4,
                model_dim=32,
                ff_dim=32,
                num_text_blocks=1,
                num_visual_blocks=1,
                axes_dims=(4, 4, 8),
            )
        ),
        vae=vae(4, levels=4),
        text_encoder=qwen25_vl(),
        tokenizer=processor(),
        text_encoder_2=clip(),
        tokenizer_2=tokenizer(),
        scheduler=flow(shift=5.0),
    )
    pipeline.resolutions = [(96, 64)]
    return pipeline


def processor() -> Any:
    """A tokenizer with what prepares pictures and videos, of which a text-to-image pipeline has none."""
    return transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(),
        tokenizer=tokenizer(1024),
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=CHAT,
    )


def deepfloyd() -> Any:
    return diffusers.IFPipeline(
        tokenizer=tokenizer(),
        text_encoder=t5(),
        unet=unet(
            channels=3,
            out_channels=6,
            encoder_hid_dim=32,
            encoder_hid_dim_type="text_proj",
            addition_embed_type="text",
            addition_embed_type_num_heads=2,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            resnet_time_scale_shift="scale_shift",
            act_fn="gelu",
            time_embedding_act_fn="gelu",
        ),
        scheduler=diffusers.DDPMScheduler(
            beta_schedule="squaredcos_cap_v2",
            variance_type="learned_range",
            thresholding=True,
            dynamic_thresholding_ratio=0.95,
        ),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def aura_flow() -> Any:
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer(),
        text_encoder=t5(transformers.UMT5EncoderModel, transformers.UMT5Config),
        vae=vae(),
        transformer=alive(
            diffusers.AuraFlowTransformer2DModel(
                sample_size=16,
                num_mmdit_layers=1,
                num_single_dit_layers=1,
                attention_head_dim=8,
                num_attention_heads=4,
                joint_attention_dim=32,
                caption_projection_dim=32,
                pos_embed_max_size=256,
            )
        ),
        scheduler=flow(shift=1.73),
    )


def qwen_image() -> Any:
    return diffusers.QwenImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=framed_vae(),
        text_encoder=qwen25_vl(),
        tokenizer=tokenizer(1024),
        transformer=alive(
            diffusers.QwenImageTransformer2DModel(
                in_channels=16,
                out_channels=4,
                num_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=32,
                axes_dims_rope=(4, 4, 8),
            )
        ),
    )


def z_image() -> Any:
    return diffusers.ZImagePipeline(
        scheduler=flow(shift=3.0),
        vae=still_vae(4),
        text_encoder=qwen3(),
        tokenizer=tokenizer(512),
        transformer=alive(
            diffusers.ZImageTransformer2DModel(
                in_channels=4,
                dim=32,
                n_layers=1,
                n_refiner_layers=1,
                n_heads=2,
                n_kv_heads=2,
                cap_feat_dim=32,
                axes_dims=[4, 4, 8],
                axes_lens=[256, 32, 32],
            )
        ),
    )


def lumina_2() -> Any:
    return diffusers.Lumina2Pipeline(
        transformer=alive(
            diffusers.Lumina2Transformer2DModel(
                sample_size=16,
                in_channels=4,
                hidden_size=24,
                num_layers=1,
                num_refiner_layers=1,
                num_attention_heads=2,
                num_kv_heads=1,
                multiple_of=16,
                axes_dim_rope=(4, 4, 4),
                axes_lens=(300, 32, 32),
                cap_feat_dim=32,
            )
        ),
        scheduler=flow(),
        vae=still_vae(4, levels=4),
        text_encoder=gemma2(),
        tokenizer=tokenizer(512),
    )


def hunyuan_dit() -> Any:
    bert = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=77,
    )
    return diffusers.HunyuanDiTPipeline(
        vae=vae(4, levels=4),
        text_encoder=alive(transformers.BertModel(bert)),
        tokenizer=tokenizer(),
        transformer=alive(
            diffusers.HunyuanDiT2DModel(
                sample_size=8,
                num_layers=2,
                patch_size=2,
                attention_head_dim=8,
                num_attention_heads=3,
                in_channels=4,
                hidden_size=24,
                cross_attention_dim=32,
                cross_attention_dim_t5=32,
                pooled_projection_dim=16,
                use_style_cond_and_image_meta_size=False,
            )
        ),
        scheduler=diffusers.DDPMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=t5(),
        tokenizer_2=tokenizer(256),
    )


def cogview_4() -> Any:
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer(1024, padding_side="left"),
        text_encoder=alive(transformers.GlmModel(decoder_config(transformers.GlmConfig))),
        vae=still_vae(4),
        transformer=alive(
            diffusers.CogView4Transformer2DModel(
                in_channels=4,
                out_channels=4,
                num_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                text_embed_dim=32,
                time_embed_dim=8,
                condition_dim=4,
                rope_axes_dim=(16, 16),
            )
        ),
        scheduler=flow(base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True),
    )


def latent_diffusion() -> Any:
    from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel

    bert = LDMBertConfig(
        vocab_size=WORDS,
        encoder_layers=1,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        head_dim=16,
        d_model=32,
    )
    return diffusers.LDMTextToImagePipeline(
        vqvae=vae(4, levels=4),
        bert=alive(LDMBertModel(bert)),
        tokenizer=tokenizer(),
        unet=unet(sample_size=8),
        scheduler=ddim(clip_sample=False),
    )


def wuerstchen() -> Any:
    from diffusers.pipelines.deprecated.wuerstchen import (
        PaellaVQModel,
        WuerstchenCombinedPipeline,
        WuerstchenDiffNeXt,
        WuerstchenPrior,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WuerstchenCombinedPipeline(
            tokenizer=tokenizer(),
            text_encoder=clip(),
            decoder=alive(
                WuerstchenDiffNeXt(
                    c_cond=32,
                    c_hidden=[16],
                    nhead=[-1],
                    blocks=[1],
                    level_config=["CT"],
                    clip_embd=32,
                    inject_effnet=[True],
                    effnet_embd=2,
                ),
                gain=0.25,
            ),
            scheduler=diffusers.DDPMWuerstchenScheduler(),
            vqgan=alive(PaellaVQModel(bottleneck_blocks=1, embed_dim=16, num_vq_embeddings=12), gain=0.25),
            prior_tokenizer=tokenizer(),
            prior_text_encoder=clip(),
            prior_prior=alive(WuerstchenPrior(c_in=2, c=16, depth=2, c_cond=32, c_r=16, nhead=2), gain=0.25),
            prior_scheduler=diffusers.DDPMWuerstchenScheduler(),
        )


def cascade() -> Any:
    from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel
    from diffusers.pipelines.stable_cascade import StableCascadeCombinedPipeline

    blocks = [["SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"]]
    shared = {"conditioning_dim": 32, "clip_text_pooled_in_channels": 32, "clip_seq": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StableCascadeCombinedPipeline(
            tokenizer=tokenizer(),
            text_encoder=projected_clip(),
            decoder=alive(
                diffusers.models.StableCascadeUNet(
                    in_channels=4,
                    out_channels=4,
                    block_out_channels=[16],
                    num_attention_heads=[-1],
                    down_num_layers_per_block=[1],
                    up_num_layers_per_block=[1],
                    down_blocks_repeat_mappers=[1],
                    up_blocks_repeat_mappers=[1],
                    block_types_per_layer=[["SDCascadeResBlock", "SDCascadeTimestepBlock"]],
                    effnet_in_channels=4,
                    timestep_ratio_embedding_dim=8,
                    patch_size=2,
                    **shared,
                )
            ),
            scheduler=diffusers.DDPMWuerstchenScheduler(),
            vqgan=alive(PaellaVQModel(bottleneck_blocks=1, embed_dim=16, num_vq_embeddings=12), gain=0.25),
            prior_prior=alive(
                diffusers.models.StableCascadeUNet(
                    in_channels=4,
                    out_channels=4,
                    block_out_channels=[16],
                    num_attention_heads=[2],
                    down_num_layers_per_block=[1],
                    up_num_layers_per_block=[1],
                    down_blocks_repeat_mappers=[1],
                    up_blocks_repeat_mappers=[1],
                    block_types_per_layer=blocks,
                    switch_level=[False],
                    clip_image_in_channels=32,
                    clip_text_in_channels=32,
                    timestep_ratio_embedding_dim=8,
                    **shared,
                )
            ),
            prior_text_encoder=projected_clip(),
            prior_tokenizer=tokenizer(),
            prior_scheduler=diffusers.DDPMWuerstchenScheduler(),
        )


def stable_unclip() -> Any:
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

    return diffusers.StableUnCLIPPipeline(
        prior_tokenizer=tokenizer(),
        prior_text_encoder=projected_clip(),
        prior=alive(
            diffusers.PriorTransformer(
                num_attention_heads=2, attention_head_dim=8, embedding_dim=32, num_layers=1, num_embeddings=77
            )
        ),
        prior_scheduler=diffusers.UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=5.0
        ),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=32).eval().requires_grad_(False),
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=tokenizer(),
        text_encoder=clip(),
        unet=unet(class_embed_type="projection", projection_class_embeddings_input_dim=64),
        scheduler=ddim(prediction_type="v_prediction", clip_sample=False),
        vae=vae(),
    )


def prx(kind: type = diffusers.PRXPipeline, channels: int = 4, **more: Any) -> Any:
    return kind(
        transformer=alive(
            diffusers.PRXTransformer2DModel(
                in_channels=channels,
                context_in_dim=32,
                hidden_size=16,
                mlp_ratio=2.0,
                num_heads=2,
                depth=1,
                axes_dim=[4, 4],
            )
        ),
        scheduler=flow(shift=3.0),
        text_encoder=gemma2(),
        tokenizer=tokenizer(),
        **more,
    )


def prx_latent() -> Any:
    return prx(vae=still_vae(4), default_sample_size=32)


def prx_pixel() -> Any:
    from diffusers import PRXPixelPipeline

    return prx(PRXPixelPipeline, 3, default_sample_size=32, prompt_max_tokens=64, noise_scale=2.0)


def length(pair: Pair) -> int:
    return len(pair.prompt)


def alone(pair: Pair) -> Pair:
    return pair


def glide(scheduler: Any = None, prediction: str = "epsilon") -> Any:
    size: dict[str, Any] = {
        "channels": 16,
        "multipliers": (1, 2),
        "res_blocks": 1,
        "head_channels": 8,
        "context": 24,
        "text_width": 32,
        "text_layers": 2,
        "text_heads": 4,
        "groups": 8,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "merges.txt").write_text("#version: 0.2\nt h\nth e\nĠ the\n", encoding="utf-8")
        tokens = GlideTokenizer(Path(folder) / "merges.txt", model_max_length=size["context"])
    base = Architecture(16, 3, attention=(8,), vocabulary=tokens.vocab_size, **size)
    upsampler = Architecture(32, 6, attention=(16,), vocabulary=tokens.vocab_size, **size)
    parts = {
        "text_encoder": GlideTextEncoder(**base.text()),
        "unet": diffusers.UNet2DConditionModel(**base.unet()),
        "upsampler_text_encoder": GlideTextEncoder(**upsampler.text()),
        "upsampler": diffusers.UNet2DConditionModel(**upsampler.unet()),
    }
    return GlidePipeline(
        tokenizer=tokens,
        scheduler=scheduler
        or GlideDDPMScheduler(
            beta_schedule="squaredcos_cap_v2", variance_type="learned_range", prediction_type=prediction
        ),
        upsampler_scheduler=GlideDDIMScheduler(beta_schedule="linear", prediction_type=prediction),
        steps="25",
        upsampler_steps="10",
        rounded=False,
        **{name: alive(part) for name, part in parts.items()},
    )


def glide_v() -> Any:
    return glide(prediction="v_prediction")


FAMILIES = {
    "stable-diffusion-1": Family(stable_diffusion, (4, 16, 16)),
    "stable-diffusion-2": Family(v_prediction, (4, 16, 16)),
    "stable-diffusion-xl": Family(stable_diffusion_xl, (4, 16, 16)),
    "stable-diffusion-3": Family(stable_diffusion_3, (16, 16, 16), call={"max_sequence_length": 32}),
    "latent-consistency": Family(consistency, (4, 16, 16)),
    "stable-unclip": Family(stable_unclip, (4, 16, 16), call={"prior_num_inference_steps": 2}, steps=4),
    # Without the noisiest steps, where a rounding error of the noise is multiplied by 20,000.
    "glide": Family(glide, (3, 16, 16), call={"num_inference_steps": "ddim2", "upsampler_steps": "ddim2"}),
    "glide-v": Family(glide_v, (3, 16, 16), call={"upsampler_steps": 2}),
    "flux": Family(flux, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "flux-2": Family(
        flux_2,
        (16, 8, 12),
        call={"height": 32, "width": 48, "max_sequence_length": 64, "text_encoder_out_layers": (1, 2, 3)},
    ),
    "chroma": Family(chroma, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "pixart-alpha": Family(
        pixart, (4, 16, 16), call={"clean_caption": False, "use_resolution_binning": False, "max_sequence_length": 32}
    ),
    "pixart-sigma": Family(
        pixart_sigma,
        (4, 16, 16),
        call={"clean_caption": False, "use_resolution_binning": False, "max_sequence_length": 32},
    ),
    "sana": Family(
        sana,
        (4, 16, 16),
        call={
            "height": 32,
            "width": 32,
            "use_resolution_binning": False,
            "max_sequence_length": 32,
            "complex_human_instruction": ["Say more: "],
        },
    ),
    "kandinsky-2.2": Family(
        kandinsky_22, (4, 16, 24), call={"height": 32, "width": 48, "prior_num_inference_steps": 2}
    ),
    "kandinsky-3": Family(kandinsky_3, (4, 16, 24), call={"height": 128, "width": 192}, together=length),
    "kandinsky-5": Family(
        kandinsky_5, (1, 8, 12, 4), LAST, call={"height": 64, "width": 96, "max_sequence_length": 512}, together=length
    ),
    "deepfloyd-if": Family(deepfloyd, (3, 16, 16), call={"clean_caption": False}),
    "auraflow": Family(aura_flow, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "qwen-image": Family(
        qwen_image,
        (1, 4, 8, 12),
        FRAMED,
        call={"height": 32, "width": 48, "true_cfg_scale": 2.0, "negative_prompt": " "},
    ),
    "z-image": Family(z_image, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 64}),
    "lumina-2": Family(lumina_2, (4, 8, 12), call={"height": 64, "width": 96, "max_sequence_length": 256}),
    "hunyuan-dit": Family(hunyuan_dit, (4, 8, 12), call={"height": 64, "width": 96, "use_resolution_binning": False}),
    "cogview-4": Family(cogview_4, (4, 16, 24), call={"height": 32, "width": 48}, together=length),
    "latent-diffusion": Family(latent_diffusion, (4, 8, 12), call={"height": 64, "width": 96}, steps=0),
    "wuerstchen": Family(wuerstchen, (2, 3, 6), call={"height": 128, "width": 256, "prior_num_inference_steps": 2}),
    "stable-cascade": Family(cascade, (4, 3, 6), call={"height": 128, "width": 256, "prior_num_inference_steps": 2}),
    "prx": Family(prx_latent, (4, 16, 16), call={"use_resolution_binning": False}, together=alone),
    "prx-pixel": Family(prx_pixel, (3, 32, 32), call={"use_resolution_binning": False}, together=alone),
}
