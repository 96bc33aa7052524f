"""Which device and number type a run uses."""

import pytest
import torch

from pytest_seedshift.core import machine
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.scorers import devices


def test_cpu_computes_in_float32_unless_said():
    assert devices.resolve("cpu", None) == ("cpu", "float32")
    assert devices.resolve("cpu:0", None) == ("cpu:0", "float32")
    assert devices.resolve("cpu", "bfloat16") == ("cpu", "bfloat16")


def test_the_best_device_there_is_is_taken_unless_said():
    device, dtype = devices.resolve(None, None)
    if torch.cuda.is_available():
        assert (device, dtype) == ("cuda", "float16")
    elif torch.backends.mps.is_available():
        assert (device, dtype) == ("mps", "float16")
    else:
        assert (device, dtype) == ("cpu", "float32")


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "vulkan", ""])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    with pytest.raises(ValueError, match="is not there") as caught:
        devices.resolve(device, None)
    message = str(caught.value)
    assert message.startswith(f"the device {device!r} is not there (")
    assert "On this machine: cpu" in message
    assert len(message) < 400
    assert "\n" not in message


def test_processes_that_share_a_machine_share_its_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    try:
        for cores, threads, processes, expected in (
            (4, 4, 1, 4),
            (4, 4, 2, 2),
            (4, 4, 3, 1),
            (2, 2, 8, 1),
            (8, 3, 2, 3),
        ):
            monkeypatch.setattr(machine, "cores", lambda cores=cores: cores)
            torch.set_num_threads(threads)
            devices.share_cores(processes)
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:x", "vulkan"])
def test_who_only_asks_is_refused_the_same_devices(device):
    with pytest.raises(ValueError, match="is not there"):
        devices.check(device)


# An error that poisons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be reported late"),
        RuntimeError("transform: failed to synchronize: cudaErrorLaunchFailure: unspecified launch failure"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_an_error_of_cuda_poisons_the_process(error):
    assert devices.is_poisoned(error)
    later = KeyError("later")
    later.__cause__ = error
    assert devices.is_poisoned(later)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"),
        ValueError("CUDA error: said by somebody else"),
        KeyError("x"),
    ],
)
def test_other_errors_do_not(error):
    assert not devices.is_poisoned(error)


def test_want_of_memory_is_known_whatever_a_library_makes_of_it():
    try:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 bytes")
        except torch.OutOfMemoryError as error:
            raise ValueError("Unable to convert output 'pixel_values' to tensor") from error  # as transformers does
    except ValueError as error:
        wrapped = error
    assert devices.is_out_of_memory(wrapped)
    assert devices.is_of_the_machine(wrapped)
    assert not devices.is_out_of_memory(ValueError("Unable to convert output 'pixel_values' to tensor"))
    ours = CaseError("memory does not suffice for a single image")
    ours.__cause__ = wrapped
    assert not devices.is_out_of_memory(ours)
