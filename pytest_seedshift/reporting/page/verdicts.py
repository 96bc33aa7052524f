"""The top: each model's verdict in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting import blank, chance, model_verdict, remedy_hint, seedlines
from pytest_seedshift.reporting.page.breaking import in_short
from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run


def build(run: Run, _: Album) -> Section:
    """A card a model: verdict, sentence, what it rests on. Below them, what chance may have done."""
    models = model_verdict.all_models(run)
    cards = [_card(run, model) for model in models]
    expected = chance.looking_back(run)
    return section("verdicts", "", kinds=run.kinds, models=cards, explained=chance.explained(run), expected=expected)


def _card(run: Run, model: str) -> dict[str, Any]:
    cases, (verdict, said) = run.of(model), model_verdict.of_model(run, model)
    generated, seconds = sum(each.generated for each in cases), sum(each.seconds for each in cases)
    return {
        "model": model,
        "verdict": verdict,
        "sentence": said,
        "control": run.control(model),
        "scores": run.scores,
        "cases": model_verdict.counted(cases),
        "images": sum(each.images for each in cases),
        "design": sum(each.design for each in cases),
        "generated": generated,
        "seconds": seconds,
        "certainties": sorted({each.certainty for each in cases if each.certainty is not None}),
        "asked": model_verdict.asked(cases),
        "breaking": in_short(run, model),
        "warnings": _warnings(run, model),
        "remedies": remedy_hint.of_run(run, model),
    }


def _warnings(run: Run, model: str) -> list[str]:
    """What takes from a verdict's worth: a seed vector that is not looked at, an error of the harness."""
    use = run.seed_uses.get(model)
    found = None if use is None else use.sensitivity
    said = [seedlines.warning(model, found)] if found is not None and found.ignores_vector else []
    broken = any(each.findings and each.verdict != "pass" for each in run.nulls if each.case.model == model)
    said += blank.of_cases([*run.of(model), *(each for each in run.nulls if each.case.model == model)])
    return [*said, *(["the null control has changed: an error of the harness, trust none of this"] if broken else [])]
