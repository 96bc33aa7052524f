"""toy-glide's own vocabulary: byte-pair encoding in GPT-2's layout, learned from the toys' prompts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers.pre_tokenizers import ByteLevel

from pytest_seedshift.models.glide.tokenizer import GlideTokenizer

from .captions import vocabulary_words
from .vocabulary import learn_merges

LENGTH = 16


def learn() -> list[tuple[str, str]]:
    """The merges that make each word of a prompt one token, at the start of the prompt and within it."""
    split = ByteLevel(add_prefix_space=False)
    words = [text for word in vocabulary_words() for text in (word, f" {word}")]
    return learn_merges([piece for word in words for piece, _ in split.pre_tokenize_str(word)], end="")


def build_tokenizer() -> GlideTokenizer:
    """The tokenizer; sequences are ``LENGTH`` tokens long."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "merges.txt"
        file.write_text("".join(f"{one} {other}\n" for one, other in learn()), encoding="utf-8")
        return GlideTokenizer(file, model_max_length=LENGTH)
