"""A run's results in a model card of Hugging Face: as `model-index` in its metadata, and as tables in its text.

The form is that of https://github.com/huggingface/hub-docs/blob/main/modelcard.md, as huggingface_hub makes and reads
it. Nothing is asked of the hub.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.models.needed_scorers import SCORES as SHIPPED
from pytest_seedshift.models.needed_scorers import of_scores
from pytest_seedshift.reporting import model_verdict, summary, tags, tally
from pytest_seedshift.results import comparison, run_settings
from pytest_seedshift.results.metadata import place
from pytest_seedshift.results.run import UNFINISHED
from pytest_seedshift.results.statuses import SKIPPED

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from pytest_seedshift.results.run import CaseRun, Run

DATASET = "pytest-seedshift"
"""The type of the "dataset" of our results: pairs of labels and seed vectors. It is what sets them apart in a card."""

_METRICS = {
    "top1": ("accuracy", "top-1 accuracy"),
    "top5": ("top_5_accuracy", "top-5 accuracy"),
    "clip": ("clip_score", "CLIP score"),
}
_LIBRARIES = ("torch", "diffusers", "transformers")
_BYTE_ORDER = "\ufeff"
_BEGIN, _END = "<!-- pytest-seedshift: begin -->", "<!-- pytest-seedshift: end -->"
_OURS = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)


class CardError(DataError):
    """A card that cannot be made, or one to write into that cannot be read; the message says why."""


class NoResultError(CardError):
    """There is nothing to put on a card; the message says of which model."""


def make(run: Run, model: str, existing: str = "") -> str:
    """A model's card.

    Args:
        run: what its folder holds.
        model: which of its models.
        existing: the card that there is, whose other content stays as it is, to the letter: in the metadata all but
            our results in `model-index`, in the text all but what stands between our marks.

    Returns:
        The card, checked against what huggingface_hub reads of it.

    Raises:
        NoResultError: no case of the model was judged.
        CardError: the existing card's metadata cannot be read.
    """
    run = comparison.compared(run)
    cases = run.of(model)
    results = list(_results(run, cases)) if cases else []
    if not results:
        raise NoResultError(f"no case of {model} has a verdict: there is nothing to put on a card")
    newline = "\r\n" if "\r\n" in existing else "\n"
    opening, head, closing, body = _split(existing, newline)
    head = _with_index(head, place(model), results, newline)
    made = f"{opening}{head}{closing}{_with_tables(body, run, model, newline)}"
    _check(made, existing, results)
    return made


def _results(run: Run, cases: Sequence[CaseRun]) -> Iterator[EvalResult]:
    """One result for each case and score."""
    from huggingface_hub import EvalResult

    known = [each for facts in run.facts for each in facts.models if each.name == cases[0].case.model]
    classes = place(next((each.class_list for each in known if each.class_list), "its class list"))
    names = [place(name) for name in next((each.scorer_names for each in known if each.scorer_names), ())]
    measured = of_scores(score for case in cases for score in case.scores)
    in_order = [scorer for scorer in SHIPPED if scorer in measured or len(names) == len(SHIPPED)]
    scorers = {score: name for scorer, name in zip(in_order, names, strict=False) for score in SHIPPED[scorer]}
    for case in cases:
        if case.verdict in ("error", UNFINISHED, SKIPPED):
            continue
        at = "" if case.case.is_control else f" at {format_magnitude(case.case.magnitude)}"
        shift = "no shift" if case.case.is_control else f"shift {case.case.shift}"
        for score, found in case.scores.items():
            kind, title = _METRICS.get(score, (score, case.kinds[score].title))
            scorer = scorers.get(score)  # a score of the user's own is named by its metric alone
            told = {"low": found.low, "high": found.high, "certainty": case.certainty, "images": case.images}
            early = {"early": True} if case.early else {}
            yield EvalResult(
                task_type="text-to-image",
                task_name="Text-to-Image",
                dataset_type=DATASET,
                dataset_name=f"Shifted seed vectors ({shift}), labels of {classes}",
                dataset_config=case.case.shift,
                metric_type=kind,
                metric_name=f"{title}{at}",
                metric_value=round(found.mean, 4),
                metric_args={
                    "magnitude": case.case.magnitude,
                    **{name: round(value, 4) for name, value in told.items() if value is not None},
                    "design": case.design,
                    **early,
                    "verdict": tally.title(case.status),
                    **({"scorer": scorer} if scorer else {}),
                },
            )


# The metadata ----------------------------------------------------------------------------------------------------


def _split(card: str, newline: str) -> tuple[str, str, str, str]:
    """A card's opening line, its metadata, the line that closes them, and the text; without metadata all is text."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    plain = card.removeprefix(_BYTE_ORDER)
    mark = card[: len(card) - len(plain)]
    match = REGEX_YAML_BLOCK.match(plain)
    if match is None:
        return f"{mark}---{newline}", "", f"{newline}---{newline}", plain
    return f"{mark}{match[1]}", match[2], match[3], plain[match.end() :]


def _with_index(head: str, model: str, results: Sequence[EvalResult], newline: str) -> str:
    """Metadata with our results; all other lines, with their comments, are as they were."""
    start, end, index = _index(head)
    made = _yaml({"model-index": _joined(index, model, results)})
    if not head.strip():
        return f"pipeline_tag: text-to-image\n{made}".replace("\n", newline)
    before = head[:start] + ("" if not start or head[:start].endswith("\n") else newline)
    return before + made.replace("\n", newline) + head[end:]


def _yaml(entries: Mapping[str, Any]) -> str:
    """Metadata in YAML; of their texts what cannot be seen is written as YAML has it in quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        pass

    def represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        plain = text.terminal_line(value) == value
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Dumper.add_representer(str, represent)
    made: str = yaml.dump(entries, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return text.lines(made).rstrip()


def _index(head: str) -> tuple[int, int, list[dict[str, Any]]]:
    """Where `model-index` stands in metadata, or where it may stand, and what it says."""
    import yaml

    try:
        node = yaml.compose(head, Loader=yaml.SafeLoader)
        data = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise CardError(f"its metadata is not valid YAML: {' '.join(str(error).split())}") from None
    if node is None:
        return len(head), len(head), []
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise CardError("its metadata is no YAML mapping with one key a line")
    for key, value in node.value:
        if key.value == "model-index":
            index = data["model-index"] or []
            if not isinstance(index, list) or not all(isinstance(entry, dict) for entry in index):
                raise CardError("its model-index is not a list of models")
            start = key.start_mark.index
            # A block ends where the next token begins: the comments before that are the next key's.
            return start, start + len(_block(head[start : value.end_mark.index])), index
    return len(head), len(head), []


def _block(text: str) -> str:
    """A key's lines, without the blank lines and comments behind them and without the last line break."""
    lines = text.splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].startswith("#")):
        lines.pop()
    return "".join(lines).rstrip("\r\n")


def _joined(index: list[dict[str, Any]], model: str, results: Sequence[EvalResult]) -> list[dict[str, Any]]:
    """A model-index with our results in place of our former ones.

    They go to the entry of the model's name, to the only entry where there is one (the card may call the model
    otherwise), or to one of their own.
    """
    from huggingface_hub.repocard_data import eval_results_to_model_index

    ours = eval_results_to_model_index(model, list(results))
    named = [entry for entry in index if entry.get("name") == model] or (index if len(index) == 1 else [])
    if not named:
        return [*index, *ours]
    entry = named[0]
    others = [each for each in entry.get("results") or [] if not _is_ours(each)]
    made = {**entry, "results": [*others, *ours[0]["results"]]}
    return [made if each is entry else each for each in index]


def _is_ours(result: object) -> bool:
    dataset = result.get("dataset") if isinstance(result, dict) else None
    return isinstance(dataset, dict) and dataset.get("type") == DATASET


def _check(card: str, existing: str, results: Sequence[EvalResult]) -> None:
    """Hold a card against what huggingface_hub reads of it, and of the card that there was."""
    read, before = _read(card), _read(existing)
    if [each for each in read.get("eval_results") or [] if each.dataset_type == DATASET] != list(results):
        raise CardError("huggingface_hub does not read its model-index as it is written")
    ours = {"eval_results", "model_name"}
    if any(read.get(name) != value for name, value in before.items() if name not in ours):
        raise CardError("its metadata cannot be changed in one place without changing others; write it more simply")


def _read(card: str) -> dict[str, Any]:
    """A card's metadata as huggingface_hub reads them; nothing where it has none."""
    import yaml
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    plain = card.removeprefix(_BYTE_ORDER)
    if REGEX_YAML_BLOCK.match(plain) is None:
        return {}
    try:
        return dict(vars(ModelCard(plain).data))
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:  # of another form
        raise CardError(f"huggingface_hub cannot read its metadata: {' '.join(str(error).split())}") from None


# The text --------------------------------------------------------------------------------------------------------


def _with_tables(body: str, run: Run, model: str, newline: str) -> str:
    """A card's text with our part, in its former place or at the end; a new card has a heading."""
    ours = f"{_BEGIN}\n{_tables(run, model)}\n{_END}".replace("\n", newline)
    if _OURS.search(body):
        return _OURS.sub(lambda _: ours, body, count=1)
    before = body or f"{newline}# {text.markdown(place(model))}{newline}"
    between = newline if before.endswith("\n") else 2 * newline
    return f"{before}{between}{ours}{newline}"


def _tables(run: Run, model: str) -> str:
    cases = run.of(model)
    unjudged = [case.case.describe() for case in cases if case.verdict in ("error", UNFINISHED, SKIPPED)]
    parts = [
        "## Robustness to shifts of the seed vector",
        f"{text.markdown(model_verdict.of_model(run, model, place(model))[1])}.",
        summary.scores(cases),
        *filter(None, [tags.summary(cases)]),
        "Shifts down, magnitudes across, 0 is without a shift; ❌ breaks what is required"
        + (f" ({text.markdown(', '.join(model_verdict.asked(cases)))})." if model_verdict.asked(cases) else "."),
    ]
    certainties = sorted({case.certainty for case in cases if case.certainty is not None})
    if certainties:
        told = " or ".join(map(messages.percent, certainties))
        parts.append(
            f"For each mean, `model-index` gives the number of images, the {told} interval of the model's own mean "
            "(`low`, `high`), and whether it is early."
        )
    searches = run.searches(model)
    if searches:
        parts.append(summary.breaking(searches))
    if unjudged:
        parts.append(f"Not judged: {text.markdown(', '.join(unjudged))}.")
    if any(len({each.images, each.design}) > 1 for each in cases):
        seen, design = sum(each.images for each in cases), sum(each.design for each in cases)
        parts.append(f"Cases stop as soon as they are decided: {seen} of {design} images were looked at.")
    parts += _run_with(run, model)
    return "\n\n".join(parts)


def _run_with(run: Run, model: str) -> list[str]:
    """What the model was run with, the libraries, and its fingerprint; nothing where none of it is known."""
    told = []
    for facts in run.facts:
        for each in facts.models:
            if each.name == model and each.fingerprint:
                versions = ", ".join(f"{name} {facts.versions[name]}" for name in _LIBRARIES if name in facts.versions)
                how = f"{run_settings.describe(each.run_with)}; {versions or 'versions not recorded'}"
                told.append(f"Run with {text.markdown(how)}; fingerprint `{text.markdown(each.fingerprint)}`.")
    return list(dict.fromkeys(told))
