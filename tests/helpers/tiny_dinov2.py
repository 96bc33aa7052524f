"""A random DINOv2 in small, as transformers saves one, with its image processor."""

from __future__ import annotations

from pathlib import Path


def made(folder: Path, mean: tuple[float, ...] = (0.5, 0.5, 0.5), std: tuple[float, ...] = (0.5, 0.5, 0.5)) -> Path:
    """Write it; its pictures have 28 pixels a side."""
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    sizes = {"image_size": 28, "patch_size": 14, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        Dinov2Model(Dinov2Config(**sizes, mlp_ratio=2)).save_pretrained(folder)
    size, crop = {"shortest_edge": 28}, {"height": 28, "width": 28}
    BitImageProcessor(size=size, crop_size=crop, resample=3, image_mean=mean, image_std=std).save_pretrained(folder)
    return folder
