"""Scorers: how well an image shows what its prompt asks for."""

DEFAULT_CLASSIFIER = "google/vit-base-patch16-224"
"""The classifier behind top-1 and top-5: ViT-B/16 on ImageNet-1k, a folder or a hub id."""

DEFAULT_CLIP = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""The model behind the CLIP score: open_clip's ViT-B-32 with the weights laion2b_s34b_b79k, a folder or a hub id."""
