"""Pipelines whose denoiser is a UNet: in latents, in pixels, with a prior, in stages."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import transformers

from pytest_seedshift.models.glide.architecture import Architecture
from pytest_seedshift.models.glide.pipeline import GlidePipeline
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler
from pytest_seedshift.models.glide.text import GlideTextEncoder
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer

from .parts import WORDS, alive, clip, ddim, projected_clip, t5, tokenizer, unet, vae

if TYPE_CHECKING:
    from torch import nn


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
