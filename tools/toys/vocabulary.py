"""The toy models' own vocabulary: byte-pair encoding in CLIP's format, learned from their prompts.

Every single byte is a token, inside a word and at its end, so any text can be written with it. Each word of the prompts
is one token.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from .captions import vocabulary_words

LENGTH = 16


def learn_merges(words: list[str], end: str = "</w>") -> list[tuple[str, str]]:
    """Byte-pair merges that make each word one token: again and again the most frequent pair, the first in order.

    Args:
        words: In the letters of a byte-level vocabulary.
        end: What marks a word's last letter.
    """
    split = {word: [*word[:-1], word[-1] + end] for word in dict.fromkeys(words)}
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for symbols in split.values() for pair in pairwise(symbols))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for symbols in split.values():
            place = 0
            while place + 1 < len(symbols):
                if (symbols[place], symbols[place + 1]) == best:
                    symbols[place : place + 2] = [best[0] + best[1]]
                place += 1


def build_tokenizer() -> CLIPTokenizer:
    """The tokenizer; sequences are ``LENGTH`` tokens long, "end of text" is the highest number and fills the rest."""
    merges = learn_merges(vocabulary_words())
    letters = sorted(ByteLevel.alphabet())
    symbols = [*letters, *(letter + "</w>" for letter in letters), *(first + second for first, second in merges)]
    names = [*dict.fromkeys(symbols), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={name: number for number, name in enumerate(names)},
        merges=merges,
        model_max_length=LENGTH,
    )
