"""Whether what lies in a folder is a pipeline that may be loaded, and can be."""

from __future__ import annotations

from pathlib import Path

from pytest_seedshift.core.checkpoints import contents, headers, places, trust
from pytest_seedshift.core.checkpoints.trust import INDEX, SAFETY_CHECKER
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import kinds, location


def check(folder: Path, source: str, variant: str | None = None) -> None:
    """Raise ValueError for a folder that is no pipeline, or that must not, or cannot be loaded."""
    trust.check(folder, source)
    found = location.contents_of(folder, variant)
    if found.problems:
        refuse_class(folder, source)
    places.refuse(source, found, folder)


def refuse_class(folder: Path, source: str) -> None:
    """Raise ValueError for a pipeline that makes no images from a text, which is more to say than what it lacks."""
    name = location.index(folder).get("_class_name")
    if not isinstance(name, str):
        return
    if name.startswith(("Onnx", "ORT")):
        raise ModelError(
            f"{source} is a pipeline of ONNX ({name}), and nothing but safetensors is loaded: give the pipeline that "
            "it was made from"
        )
    kinds.check_index(folder / INDEX, source)


def check_variant(folder: Path, source: str, variant: str | None) -> None:
    """Raise ValueError for a variant that is in no part."""
    if variant is not None and variant not in location.contents_of(folder, variant).variants.values():
        there = contents.variants(contents.OnDisk(folder))
        others = f". {unknown('variant', variant, there)}" if there else ": it has none. Remove the key"
        raise ModelError(f"{source}: variant = {variant!r}: no weights of it have that variant{others}")


def check_beside(folder: Path, source: str) -> None:
    """Raise ValueError for a single file's configuration of which a part would be read from a pickle.

    What the file lacks, diffusers reads from there, and in whatever form.
    """
    trust.check(folder, source)
    for part in contents.classes(location.index(folder)):
        if part == SAFETY_CHECKER or not (folder / part).is_dir():
            continue
        found = sorted(path.name for path in (folder / part).iterdir())
        pickles = [name for name in found if Path(name).suffix in trust.PICKLES]
        if pickles and not any(name.endswith(places.SINGLE_FILE) for name in found):
            raise trust.UntrustedError(
                f"{source}: {part}: {pickles[0]} in {folder} is a pickle, which would be read if the file lacks this "
                "part, and could run any code. Remove it, or save the part as safetensors"
            )


def refuse_other(folder: Path, source: str) -> None:
    """Raise ValueError for a folder that is surely something else than a pipeline."""
    if not folder.is_dir():
        return
    told = contents.instead(contents.OnDisk(folder))
    if told is not None:
        raise ModelError(f"{source} {told}")
    files_of_it = sorted(folder.glob(f"*{places.SINGLE_FILE}"))
    if not files_of_it or (folder / "config.json").is_file():
        return
    others = [headers.no_pipeline(path, whole=True) for path in files_of_it]
    if others[0] is not None and all(other is not None for other in others):
        raise ModelError(f"{source}: {files_of_it[0].name} {others[0]}")
