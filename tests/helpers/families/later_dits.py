"""Pipelines of transformers that came to diffusers last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
import transformers

from .dits import sana
from .parts import (
    CHAT,
    END,
    WORDS,
    alive,
    decoder_config,
    flow,
    framed_vae,
    gemma2,
    processor,
    qwen3,
    qwen25_vl,
    still_vae,
    t5,
    tokenizer,
    vae,
)

if TYPE_CHECKING:
    from torch import nn


def qwen3_vl(kind: type, layers: int = 3) -> nn.Module:
    text = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": END,
    }
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
    vision |= {"deepstack_visual_indexes": [0]}
    return alive(kind(transformers.Qwen3VLConfig(text_config=text, vision_config=vision)))


def qwen3_processor() -> Any:
    return transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(),
        tokenizer=tokenizer(1024),
        video_processor=transformers.Qwen3VLVideoProcessor(),
        chat_template=CHAT,
    )


def ovis() -> Any:
    return diffusers.OvisImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=still_vae(4),
        text_encoder=qwen3(),
        tokenizer=tokenizer(1024),
        transformer=alive(
            diffusers.OvisImageTransformer2DModel(
                in_channels=16,
                out_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=32,
                axes_dims_rope=(4, 4, 8),
            )
        ),
    )


def hunyuan_image() -> Any:
    return diffusers.HunyuanImagePipeline(
        scheduler=flow(shift=7.0),
        vae=alive(
            diffusers.AutoencoderKLHunyuanImage(
                in_channels=3,
                out_channels=3,
                latent_channels=4,
                block_out_channels=(32, 32, 32, 32),
                layers_per_block=1,
                scaling_factor=0.5,
                spatial_compression_ratio=8,
                sample_size=64,
            )
        ),
        text_encoder=qwen25_vl(),
        tokenizer=tokenizer(2048),
        text_encoder_2=t5(),
        tokenizer_2=tokenizer(256),
        transformer=alive(
            diffusers.HunyuanImageTransformer2DModel(
                in_channels=4,
                out_channels=4,
                num_attention_heads=4,
                attention_head_dim=8,
                num_layers=1,
                num_single_layers=1,
                num_refiner_layers=1,
                patch_size=(1, 1),
                guidance_embeds=True,
                text_embed_dim=32,
                text_embed_2_dim=32,
                rope_axes_dim=(4, 4),
            )
        ),
    )


def krea_2() -> Any:
    return diffusers.Krea2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=framed_vae(),
        text_encoder=qwen3_vl(transformers.Qwen3VLModel),
        tokenizer=tokenizer(1024),
        transformer=alive(
            diffusers.Krea2Transformer2DModel(
                in_channels=16,
                num_layers=1,
                attention_head_dim=8,
                num_attention_heads=4,
                num_key_value_heads=2,
                intermediate_size=32,
                timestep_embed_dim=8,
                text_hidden_dim=32,
                num_text_layers=3,
                text_num_attention_heads=2,
                text_num_key_value_heads=1,
                text_intermediate_size=16,
                num_layerwise_text_blocks=1,
                num_refiner_text_blocks=1,
                axes_dims_rope=(4, 2, 2),
            )
        ),
        text_encoder_select_layers=(0, 1, 2),
    )


def nucleus() -> Any:
    return diffusers.NucleusMoEImagePipeline(
        transformer=alive(
            diffusers.NucleusMoEImageTransformer2DModel(
                patch_size=2,
                in_channels=16,
                out_channels=4,
                num_layers=4,
                attention_head_dim=16,
                num_attention_heads=4,  # with fewer its layers have no width
                joint_attention_dim=32,
                axes_dims_rope=(8, 4, 4),
                num_experts=2,
                moe_intermediate_dim=32,
                dense_moe_strategy="leave_first_three_blocks_dense",
                capacity_factors=2.0,
            )
        ),
        scheduler=flow(),
        vae=framed_vae(),
        text_encoder=qwen3_vl(transformers.Qwen3VLForConditionalGeneration),
        processor=qwen3_processor(),
    )


def longcat() -> Any:
    return diffusers.LongCatImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=still_vae(),
        text_encoder=qwen25_vl(),
        tokenizer=tokenizer(1024),
        text_processor=processor(),
        transformer=alive(
            diffusers.LongCatImageTransformer2DModel(
                in_channels=64,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=32,
                pooled_projection_dim=32,
                axes_dims_rope=[4, 4, 8],
            )
        ),
    )


def ernie() -> Any:
    text = decoder_config(transformers.MistralConfig)
    vision = transformers.PixtralVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    config = transformers.Mistral3Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_index=0
    )
    return diffusers.ErnieImagePipeline(
        transformer=alive(
            diffusers.ErnieImageTransformer2DModel(
                hidden_size=32,
                num_attention_heads=2,
                num_layers=1,
                ffn_hidden_size=64,
                in_channels=16,
                out_channels=16,
                text_in_dim=32,
                rope_axes_dim=(4, 6, 6),
            )
        ),
        vae=vae(4, kind=diffusers.AutoencoderKLFlux2),
        text_encoder=alive(transformers.Mistral3Model(config)),
        tokenizer=tokenizer(512),
        scheduler=flow(),
    )


def sana_sprint() -> Any:
    made = sana()
    return diffusers.SanaSprintPipeline(
        tokenizer=made.tokenizer,
        text_encoder=gemma2(),
        vae=made.vae,
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
                qk_norm="rms_norm_across_heads",
                guidance_embeds=True,
            )
        ),
        scheduler=diffusers.SCMScheduler(),
    )


def cogview_3() -> Any:
    return diffusers.CogView3PlusPipeline(
        tokenizer=tokenizer(224),
        text_encoder=t5(),
        vae=vae(4),
        transformer=alive(
            diffusers.CogView3PlusTransformer2DModel(
                in_channels=4,
                num_layers=1,
                attention_head_dim=8,
                num_attention_heads=2,
                out_channels=4,
                text_embed_dim=32,
                time_embed_dim=8,
                condition_dim=2,
                pos_embed_max_size=16,
                sample_size=16,
            )
        ),
        scheduler=diffusers.CogVideoXDDIMScheduler(),
    )


def omnigen() -> Any:
    return diffusers.OmniGenPipeline(
        transformer=alive(
            diffusers.OmniGenTransformer2DModel(
                hidden_size=32,
                num_attention_heads=4,
                num_key_value_heads=4,
                intermediate_size=32,
                num_layers=1,
                in_channels=4,
                time_step_dim=4,
                vocab_size=WORDS,
                pad_token_id=0,
                rope_scaling={"long_factor": [1, 2, 3, 4], "short_factor": [1, 2, 3, 4]},
            )
        ),
        scheduler=flow(invert_sigmas=True, num_train_timesteps=1),
        vae=vae(4, levels=4),
        tokenizer=tokenizer(4096),
    )


def qwen_image_21() -> Any:
    return diffusers.QwenImage21Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=alive(
            diffusers.AutoencoderKLQwenImage21(
                base_dim=8,
                decoder_base_dim=8,
                z_dim=4,
                dim_mult=[1, 2, 2, 2, 2],
                num_res_blocks=1,
                latents_mean=[0.0] * 4,
                latents_std=[1.0] * 4,
            )
        ),
        text_encoder=qwen3_vl(transformers.Qwen3VLForConditionalGeneration),
        processor=qwen3_processor(),
        transformer=alive(
            diffusers.QwenImage21Transformer2DModel(
                in_channels=4,
                out_channels=4,
                num_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                context_in_dim=32,
                axes_dims_rope=(4, 6, 6),
            )
        ),
    )
