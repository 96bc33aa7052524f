"""Which device and number type a run uses."""

import pytest
import torch

from pytest_seedshift import devices


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


def test_processes_that_share_a_machine_share_its_cores():
    before = torch.get_num_threads()
    try:
        for threads, processes, expected in ((4, 1, 4), (4, 2, 2), (4, 3, 1), (2, 8, 1)):
            torch.set_num_threads(threads)
            devices.share_cores(processes)
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
