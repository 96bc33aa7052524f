"""Pipelines whose denoiser is a transformer."""

from __future__ import annotations

from typing import Any

import diffusers
import transformers

from .parts import (
    WORDS,
    alive,
    clip,
    decoder_config,
    flow,
    framed_vae,
    gemma2,
    processor,
    projected_clip,
    qwen3,
    qwen25_vl,
    still_vae,
    t5,
    tokenizer,
    vae,
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
