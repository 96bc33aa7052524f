"""What the tensors of a single file say of how its model is to be sampled.

A file has no place for a configuration, so those who train them have agreed on tensors that hold nothing but their
names: `v_pred` says that the network predicts v, `ztsnr` that its schedule ends in pure noise (arXiv 2305.08891).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from pytest_seedshift.core import files

if TYPE_CHECKING:
    from pytest_seedshift.models.location import Location


V_PREDICTION, ZERO_SNR = "v_pred", "ztsnr"

_PREDICTS = {"prediction_type": "v_prediction"}
RESCALED = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


def scheduler_settings(location: Location) -> dict[str, Any]:
    """The options that a single file's scheduler is given; none for a folder, and for a file that says nothing.

    Where the noise is predicted, a schedule that ends in pure noise says nothing of the picture at its first step:
    there `ztsnr` is not heeded.
    """
    names = sampling_tensors(location)
    if V_PREDICTION not in names and not (names and _is_of_v(location)):
        return {}
    return dict(_PREDICTS) | (RESCALED if ZERO_SNR in names else {})


def _is_of_v(location: Location) -> bool:
    """Whether the configuration beside a single file says that the network predicts v."""
    path = (location.config or location.path) / "scheduler/scheduler_config.json"
    config: Any = files.read_json(path, finite=False) if path.is_file() else {}
    return isinstance(config, Mapping) and config.get("prediction_type") == _PREDICTS["prediction_type"]


def fitting(options: Mapping[str, Any], valid: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that a scheduler can be given: all of a schedule that ends in pure noise, or none.

    Args:
        options: see `scheduler_settings`.
        valid: what the scheduler's class takes.
    """
    rescaled = set(RESCALED) <= set(valid)
    return {name: value for name, value in options.items() if name in valid and (rescaled or name not in RESCALED)}


def sampling_tensors(location: Location) -> frozenset[str]:
    """Which of these tensors a single file has; none of what is no file, or none that can be read."""
    if location.released is not None or not location.path.is_file():
        return frozenset()
    try:
        with safe_open(str(location.path), framework="pt") as file:
            return frozenset({V_PREDICTION, ZERO_SNR} & set(file.keys()))
    except (OSError, SafetensorError):
        return frozenset()
