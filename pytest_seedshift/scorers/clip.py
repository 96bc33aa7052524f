"""The CLIP score by a model of open_clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from torchvision.transforms.v2 import functional as transforms

from pytest_seedshift import identity, weights

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.pairs import Label


class ClipScore:
    """A `Scorer` of `clip`: 100·max(cos(image, prompt), 0) (Hessel et al. 2021, arXiv 2104.08718).

    The factor is 100, as torchmetrics has it, not the article's 2.5.
    """

    def __init__(self, model: Any, tokenizer: Any, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._model = model
        self._tokenizer = tokenizer
        self._prompts: dict[str, Tensor] = {}

    @classmethod
    def load(cls, source: str, device: str) -> ClipScore:
        """Load from a folder in open_clip's format, the cache or the hub; safetensors only, in float32."""
        folder = weights.fetch(source, weights.CLIP_FILES)
        model = open_clip.create_model(f"local-dir:{folder}", precision="fp32", device=device)
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        return cls(model.eval(), tokenizer, identity.of_clip(source))

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`."""
        seen = self._model.encode_image(self._prepare(images), normalize=True)
        asked = torch.stack([self._encode(label.prompt, images.device) for label in labels])
        return {"clip": 100 * (seen * asked).sum(-1).clamp(min=0).float()}

    def _prepare(self, images: Tensor) -> Tensor:
        """As open_clip prepares pictures: shorter side to the model's size, bicubic; the centre; normalised."""
        size = self._model.visual.image_size
        side = size if isinstance(size, int) else size[0]
        bicubic = transforms.InterpolationMode.BICUBIC
        images = transforms.resize(images.float(), [side], interpolation=bicubic, antialias=True).clamp(0, 1)
        images = transforms.center_crop(images, [side, side])
        normalised: Tensor = transforms.normalize(images, self._model.visual.image_mean, self._model.visual.image_std)
        return normalised

    def _encode(self, prompt: str, device: torch.device) -> Tensor:
        if prompt not in self._prompts:
            tokens = self._tokenizer([prompt])
            room = tokens.shape[-1]
            # Tokenizers cut what is too long in silence. What fits leaves nothing but padding in a longer window.
            if self._tokenizer([prompt], context_length=2 * room)[0, room:].unique().numel() > 1:
                raise ValueError(f"the prompt {prompt!r} is longer than the {room} tokens that CLIP reads")
            self._prompts[prompt] = self._model.encode_text(tokens.to(device), normalize=True)[0]
        return self._prompts[prompt]
