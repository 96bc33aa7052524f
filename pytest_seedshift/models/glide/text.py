"""GLIDE's text transformer, one for each of the two UNets."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn


class GlideTextEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A transformer without a mask: every position sees every other, padding too.

    What padding is has a learned embedding for each position. The last position's output is also the pooled one.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        vocab_size: int = 50257,
        context: int = 128,
        width: int = 512,
        layers: int = 16,
        heads: int = 8,
    ) -> None:
        """Build it with random weights.

        Args:
            vocab_size: tokens, the padding token among them.
            context: tokens of a prompt.
            width: of an embedding.
            layers: how many.
            heads: of attention.
        """
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(context, width))
        self.padding_embedding = nn.Parameter(0.02 * torch.randn(context, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.final_ln = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Encode prompts.

        Args:
            tokens: ids, (batch, context).
            mask: true where a token is of the prompt, bool, (batch, context).

        Returns:
            (batch, context, width).
        """
        words = self.token_embedding(tokens) + self.positional_embedding
        encoded: Tensor = self.final_ln(self.transformer(torch.where(mask[..., None], words, self.padding_embedding)))
        return encoded
