"""What is said of the seed indices of a run: lines for the terminal, and all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_effects import SeedEffect
    from pytest_seedshift.results.seeds import Seeds

SHOWN = 5
"""How many indices are shown where none is worse, and how many pictures of each that is."""

MEANING = (
    "seedshift draws noise by label and index: index 3 of two labels is two seed vectors, so noise makes no index "
    "worse. It can be if labels share vectors: in a latents file with one tensor for all labels, or a model that "
    "draws by index alone."
)
"""What an index is, which nobody must take for a seed vector."""


def lines(found: Seeds) -> list[str]:
    """For the terminal."""
    worse, sure = found.worse, messages.percent(found.certainty)
    indices = messages.count(len(found.effects), "seed index", "seed indices")
    over = f"{messages.count(found.labels, 'label')} and {indices}"
    made = [f"{found.model}: {found.score} over {over}, of {messages.some(found.cases)}"]
    if found.left_out:
        made.append(f"  left out, as they ended early: {messages.some(found.left_out)}")
    if worse:
        what = messages.count(len(worse), "index is", "indices are")
        made.append(f"  {what} worse than others beyond chance, at {sure} over all of them:")
    else:
        made.append(f"  no index is worse than others beyond chance, at {sure} over all of them; the lowest:")
    made += _table(worse or found.effects[:SHOWN])
    for each in worse:
        made += _about(found, each.seed)
    if found.confirmed is not None and worse:
        held = ", ".join(map(str, found.holds)) or "none"
        made.append(f"  confirmed on labels of the other run, at {sure}: {held}")
        made += _table(found.confirmed)
    elif worse:
        made.append("  to confirm: run other classes or prompts on the same seeds, and give that run by --confirm")
    return [*made, f"  {MEANING}"]


def verdict(found: Seeds) -> str:
    """Whether any index is worse beyond chance, in a sentence."""
    sure = messages.percent(found.certainty)
    if not found.worse:
        return f"No seed index of {found.model} is worse than others beyond chance, at {sure} over all of them."
    which = ", ".join(str(each.seed) for each in found.worse)
    what = "Seed index" if len(found.worse) == 1 else "Seed indices"
    verb = "is" if len(found.worse) == 1 else "are"
    said = f"{what} {which} of {found.model} {verb} worse than others beyond chance, at {sure} over all of them."
    if found.confirmed is None:
        return said
    held = ", ".join(map(str, found.holds)) or "none"
    return f"{said} Confirmed on labels of the other run: {held}."


def _table(effects: tuple[SeedEffect, ...]) -> list[str]:
    head = ("index", "labels", "mean", "beside others", "p")
    rows = [(str(e.seed), str(e.labels), f"{e.mean:.3g}", f"{e.effect:+.3g}", f"{e.p:.2g}") for e in effects]
    return tables.table([head, *rows], ">", indent="    ")


def _about(found: Seeds, seed: int) -> list[str]:
    made = []
    if (facts := found.vectors.get(seed)) is not None:
        made.append(
            f"  {seed}: vector of norm {facts.norm:.3f}·√n, mean {facts.mean:+.3f}, spread {facts.spread:.3f}, excess "
            f"kurtosis {facts.kurtosis:+.2f}, largest {facts.largest:.1f}; the same for {facts.shared} labels"
        )
    pictures = [messages.relative(str(path)) for path in found.pictures.get(seed, ())]
    if pictures:
        made.append(f"  {seed}: pictures: {messages.some(pictures, SHOWN)}")
    return made


def document(found: Seeds) -> dict[str, Any]:
    """All figures."""
    return {
        "version": 1,
        "model": found.model,
        "score": found.score,
        "certainty": found.certainty,
        "labels": found.labels,
        "cases": list(found.cases),
        "left_out": list(found.left_out),
        "worse": [each.seed for each in found.worse],
        "confirmed": None if found.confirmed is None else list(found.holds),
        "indices": [_entry(each) for each in found.effects],
        "fresh": None if found.confirmed is None else [_entry(each) for each in found.confirmed],
        "pictures": {str(seed): [str(path) for path in paths] for seed, paths in found.pictures.items()},
        "vectors": {
            str(seed): {name: getattr(each, name) for name in type(each).__slots__}
            for seed, each in found.vectors.items()
        },
        "meaning": MEANING,
    }


def _entry(each: SeedEffect) -> dict[str, Any]:
    return {"seed": each.seed, "labels": each.labels, "mean": each.mean, "effect": each.effect, "p": each.p}
