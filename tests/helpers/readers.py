"""Models of transformers that read texts beside pictures: real classes, small, with drawn weights, in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers

from helpers.families.parts import END, WORDS, alive
from helpers.families.parts import tokenizer as byte_tokenizer

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
_WORDS: dict[str, Any] = {"vocab_size": WORDS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END}
_MEANS: dict[str, Any] = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def clip_h(folder: Path) -> Path:
    """As PickScore is: CLIP-H of transformers, whose text's end is told by an old number, and its processor."""
    text = _SMALL | _WORDS | {"max_position_embeddings": 77, "eos_token_id": 2, "hidden_act": "gelu"}
    vision = _SMALL | {"image_size": 56, "patch_size": 14, "hidden_act": "gelu"}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    return _saved(folder, transformers.CLIPModel(config), transformers.CLIPImageProcessor(**size, **_MEANS), 77)


def metaclip_2(folder: Path) -> Path:
    """MetaCLIP 2, which has the classes of its own."""
    text = _SMALL | _WORDS | {"max_position_embeddings": 77}
    vision = _SMALL | {"image_size": 56, "patch_size": 14}
    config = transformers.MetaClip2Config(text_config=text, vision_config=vision, projection_dim=24)
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    return _saved(folder, transformers.MetaClip2Model(config), transformers.CLIPImageProcessor(**size, **_MEANS), 77)


def siglip_2(folder: Path) -> Path:
    """SigLIP 2 as most of its checkpoints are: of SigLIP's classes, for pictures of one size, 64 tokens."""
    text = _SMALL | _WORDS | {"max_position_embeddings": 64, "projection_size": 32}
    vision = _SMALL | {"image_size": 64, "patch_size": 16}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    processor = transformers.SiglipImageProcessor(size={"height": 64, "width": 64}, resample=2)
    return _saved(folder, transformers.SiglipModel(config), processor, 64)


def siglip_2_naflex(folder: Path) -> Path:
    """SigLIP 2 for pictures of any form, which it takes as patches."""
    text = _SMALL | _WORDS | {"max_position_embeddings": 64, "projection_size": 32}
    vision = _SMALL | {"num_patches": 16, "patch_size": 16}
    config = transformers.Siglip2Config(text_config=text, vision_config=vision)
    processor = transformers.Siglip2ImageProcessor(patch_size=16, max_num_patches=16)
    _saved(folder, transformers.Siglip2Model(config), processor, 64)
    marks, signs = ["<pad>", "<eos>", "<bos>", "<unk>", "\u2581"], map(chr, range(33, 127))
    words = {word: at for at, word in enumerate([*marks, *signs, "Ä"])}
    transformers.GemmaTokenizer(words, [], model_max_length=64).save_pretrained(folder)
    return folder


DUAL: dict[str, Callable[[Path], Path]] = {
    "CLIP-H": clip_h,
    "MetaCLIP 2": metaclip_2,
    "SigLIP 2": siglip_2,
    "SigLIP 2 NaFlex": siglip_2_naflex,
}


def _saved(folder: Path, model: Any, processor: Any, length: int) -> Path:
    alive(model).save_pretrained(folder)
    processor.save_pretrained(folder)
    byte_tokenizer(length).save_pretrained(folder)
    return folder


# Models that answer -------------------------------------------------------------------------------------------------

_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
_ASKS = (
    "{% for message in messages %}user: {% for part in message['content'] %}"
    f"{{% if part['type'] == 'image' %}}{_PICTURE}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def qwen25_vl(folder: Path, *, template: bool = True) -> Path:
    """Qwen2.5-VL, as `vqa` asks it."""
    words = byte_tokenizer(1024)
    signs = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    words.add_special_tokens({"additional_special_tokens": signs})
    ids = {sign: words.convert_tokens_to_ids(sign) for sign in signs}
    words.chat_template = None
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84}),
        tokenizer=words,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=_ASKS if template else None,
    )
    text = _SMALL | _WORDS | {"vocab_size": len(words), "num_key_value_heads": 2, "max_position_embeddings": 4096}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
    vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
    config = transformers.Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision | {"fullatt_block_indexes": [1]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
    )
    alive(transformers.Qwen2_5_VLForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
