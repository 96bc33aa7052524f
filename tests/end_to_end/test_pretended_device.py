"""The product on accelerators that are not there: see `helpers.pretended_device` for what that can show."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.families import FAMILIES
from helpers.pretended_device import DeviceTensor, PretendedDevices
from helpers.runs import cases_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.generate import Batch, Engine
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore
from pytest_seedshift.scorers.evidence_position import Position

DESIGN = pairs.design(pairs.class_list("toy16"), 64)[:4]
CASE = Case("small", "mean", 0.3)
TOY = catalogue.shipped().find("toy-latent")
LEVEL = 1.01 / 255

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]


def model_of(name: str, device: str, dtype: torch.dtype = torch.float32) -> DiffusersPipeline:
    family = FAMILIES[name]
    return DiffusersPipeline("small", family.build().to(dtype).to(device), "", family.arguments)


def images_of(model: DiffusersPipeline, case: Case = CASE) -> Tensor:
    return torch.cat([each.cpu() for each in Engine(model, (), 2, overlap=False).images(case, DESIGN)])


# What stands in for a device ----------------------------------------------------------------------------------------


def test_what_a_gpu_refuses_is_refused():
    with PretendedDevices(2) as gpus:
        here, there = torch.ones(3, device="cuda"), torch.ones(3, device="cuda:1")
        for wrong in (
            lambda: here + torch.ones(3),
            lambda: here + there,
            lambda: torch.randn(3, device="cuda", generator=torch.Generator()),
            lambda: torch.ones(1, device="cuda:2"),
        ):
            with pytest.raises(RuntimeError, match=r"same device|device type for generator|invalid device ordinal"):
                wrong()
        for wrong in (here.numpy, lambda: here.__array__()):
            with pytest.raises(TypeError, match="can't convert cuda:0"):
                wrong()
        assert (here + torch.tensor(2.0)).tolist() == [3, 3, 3]  # a single number may lie anywhere
        assert (here.to("cuda:1") + there).device == torch.device("cuda:1")
        assert gpus.waits_of("test") == 1
    with pytest.raises(RuntimeError, match="outside of"):
        here + 1


def test_where_a_gpu_is_waited_for_is_counted_and_where_not_it_is_not():
    with PretendedDevices() as gpus:
        far = torch.arange(4.0, device="cuda")
        for wait in (
            far.cpu,
            far.sum().item,
            lambda: bool((far > 0).all()),
            far.tolist,
            (far > 0).nonzero,
            lambda: far[far > 1],
            lambda: torch.ones(4).to("cuda"),
            lambda: torch.tensor([1.0, 2.0], device="cuda"),
            lambda: far[torch.tensor([0, 1])],
            lambda: far.copy_(torch.ones(4)),
        ):
            gpus.reset()
            wait()
            assert sum(gpus.waits.values()) == 1, wait
        gpus.reset()
        for instant in (
            lambda: far.to("cpu", non_blocking=True),
            lambda: torch.ones(4).to("cuda", non_blocking=True),
            lambda: far[far.argsort()],
            lambda: torch.stack([far.sum(), far.max()]),
            lambda: torch.where(far > 1, far, 0.0),
        ):
            instant()
        assert not gpus.waits


def test_what_is_read_before_it_was_waited_for_is_rubbish_in_that_thread():
    with PretendedDevices() as gpus:
        far = torch.arange(4.0, device="cuda")
        there = far.to("cpu", non_blocking=True)
        assert there.tolist() != [0, 1, 2, 3]
        other = threading.Thread(target=far.tolist)
        other.start()
        other.join()
        assert there.tolist() != [0, 1, 2, 3]  # of another thread's stream
        far.sum().item()
        assert there.tolist() == [0, 1, 2, 3]
        assert sum(gpus.beside.values()) == 1


def test_memory_is_that_of_live_storages_and_has_a_limit():
    with PretendedDevices(memory=4000) as gpus:
        far = torch.zeros(100, device="cuda")
        views = [far[:10], far.view(10, 10), far.t()]
        assert gpus.used == [400]
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(1000, device="cuda")
        assert torch.cuda.mem_get_info()[0] == 3600
        del far
        assert gpus.used == [400]
        views.clear()
        assert gpus.used == [0]
        gpus.fail_at = gpus.allocations + 1
        torch.zeros(1, device="cuda")
        with pytest.raises(torch.OutOfMemoryError, match="chosen"):
            torch.zeros(1, device="cuda")
        torch.zeros(1, device="cuda")  # once


def test_modules_move_and_have_gradients_as_on_a_device():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten()).eval()
    module.append(torch.nn.Linear(144, 3)).append(torch.nn.Linear(3, 3))
    module[-1].weight = torch.nn.Parameter(torch.eye(3))
    module.tied = module[-1]
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    (expected,) = torch.autograd.grad(module(x).sum(), x)
    with PretendedDevices() as gpus:
        module.to("cuda")
        assert module.tied.weight is module[-1].weight
        far = x.detach().to("cuda").requires_grad_()
        (found,) = torch.autograd.grad(module(far).sum(), far)
        assert isinstance(found, DeviceTensor)
        assert torch.equal(found.cpu(), expected)
        with torch.inference_mode():
            assert not torch.is_grad_enabled()
            with pytest.raises(ZeroDivisionError), torch.inference_mode():
                raise ZeroDivisionError
        assert {each.dtype for each in module.half().parameters()} == {torch.float16}
        assert module(far.half()).dtype == torch.float16
        assert module.to("cpu", torch.float32)[0].weight.device.type == "cpu"
        del far, found
        assert gpus.used == [0]


def test_who_asks_is_known_and_float64_is_noted():
    with PretendedDevices() as gpus:
        images_of(model_of("stable-diffusion-1", "cuda"))
        assert gpus.operators["model"] > gpus.operators["text encoder"] > gpus.operators["ours"] > 0
        torch.zeros(1, device="cuda", dtype=torch.float64)
        assert [asker for asker, _ in gpus.doubles] == ["test"]


# Families -----------------------------------------------------------------------------------------------------------

DAILY = ("stable-diffusion-1", "flux", "glide", "kandinsky-5", "prx-pixel")
"""A UNet, packed states, a pipeline of this package, padded prompts, one image at a time."""

FAR = [pytest.param(name, marks=() if name in DAILY else pytest.mark.nightly) for name in FAMILIES]


@pytest.mark.parametrize("name", FAR)
def test_a_family_draws_the_same_pictures_on_the_second_of_two_gpus(name):
    expected = images_of(model_of(name, "cpu"))
    with PretendedDevices(2) as gpus:
        model = model_of(name, "cuda:1")
        found = images_of(model)
        gpus.reset()
        again = images_of(model)
        assert gpus.used[0] == 0
        assert gpus.waits_of("ours") == len(DESIGN) / 2  # one a batch: all prompts are known
        assert gpus.operators["ours"] < 0.05 * sum(gpus.operators.values())
        assert not [line for asker, line in gpus.doubles if asker == "ours"]
    assert (found - expected).abs().max() < LEVEL  # some choose other kernels on a GPU
    assert torch.equal(again, found)


@pytest.mark.parametrize("name", ["stable-diffusion-1", "stable-diffusion-xl", "flux"])
def test_in_half_precision_no_prompt_that_is_known_is_encoded(name):
    with PretendedDevices() as gpus:
        model = model_of(name, "cuda", torch.float16)
        images_of(model, CASE.control)
        gpus.reset()
        images_of(model)
        assert gpus.waits_of("ours") == len(DESIGN) / 2
        assert gpus.operators["text encoder"] == 0


# Waits and operators ------------------------------------------------------------------------------------------------


def scorers_on(device: str) -> tuple[Any, ...]:
    classifier = Classifier.load(TOY.classifier, device)
    return classifier, ClipScore.load(TOY.clip, device), Position(classifier, "position")


def test_a_gpu_is_waited_for_twice_a_batch_and_not_by_who_generates():
    expected = [
        row
        for batch in Engine(model_of("stable-diffusion-1", "cpu"), scorers_on("cpu"), 2, overlap=False).run(
            CASE, DESIGN
        )
        for row in finish(batch)
    ]
    with PretendedDevices() as gpus:
        model = model_of("stable-diffusion-1", "cuda")
        gpus.reset()
        scorers = scorers_on("cuda")
        assert gpus.waits_of("ours") <= 4  # two scorers, not their hundreds of weights
        engine = Engine(model, scorers, 2, overlap=True)
        list(engine.run(CASE, DESIGN))
        gpus.reset()
        found = [row for batch in engine.run(CASE, DESIGN) for row in finish(batch)]
        batches = len(DESIGN) / 2
        beside = sum(count for (asker, _), count in gpus.beside.items() if asker == "ours")
        assert gpus.waits_of("ours") == beside == 2 * batches
        assert not gpus.doubles
    for one, other in zip(found, expected, strict=True):
        assert one.picture == other.picture
        for ours, theirs in zip(one.scores, other.scores, strict=True):
            assert ours == pytest.approx(theirs, abs=0.01)


class Broken(DiffusersPipeline):
    """A test double of a model whose state holds NaN after its second step, in one row."""

    def generate(self, pairs: Any, shift: Any = None, on_step: Any = None) -> Tensor:
        def spoilt(step: int, state: Tensor) -> None:
            state = state.clone()
            if step == 1:
                state[1, 0, 2, 3] = torch.nan
            on_step(step, state)

        return super().generate(pairs, shift, spoilt)


def test_what_is_not_finite_on_a_gpu_is_told_with_its_prompt_seed_and_step():
    with PretendedDevices():
        family = FAMILIES["stable-diffusion-1"]
        model = Broken("small", family.build().to(torch.float16).to("cuda"), "", family.arguments)
        told = r"NaN or Inf in the model's state after step 2 of .*float32 or bfloat16$"
        with pytest.raises(CaseError, match=told) as caught:
            list(Engine(model, (), 4, overlap=True, dtype="float16").run(CASE, DESIGN))
        assert str(DESIGN[1]) in str(caught.value)


# Memory -------------------------------------------------------------------------------------------------------------


class Small:
    """What runs of a small model with both scorers are made of, and how many allocations one takes."""

    def __init__(self, gpus: PretendedDevices) -> None:
        self.gpus = gpus
        self.model = model_of("stable-diffusion-1", "cuda")
        self.scorers = scorers_on("cuda")[:2]
        self.expected = self.run()
        self.expected = self.run()  # with what is sent there once
        self.allocations = gpus.allocations

    def run(self, fail_at: int | None = None) -> list[Batch]:
        self.gpus.allocations, self.gpus.fail_at = 0, fail_at
        return list(Engine(self.model, self.scorers, 4, overlap=False).run(CASE, DESIGN))


def is_survived(small: Small, place: int) -> bool:
    batches = small.run(place)
    rows = [row for batch in batches for row in batch.rows]
    found, expected = (torch.cat([batch.levels for batch in each]).short() for each in (batches, small.expected))
    return rows == [row for batch in small.expected for row in batch.rows] and int((found - expected).abs().max()) <= 2


def test_want_of_memory_wherever_it_comes_halves_a_batch_and_loses_nothing():
    with PretendedDevices() as gpus:
        small = Small(gpus)
        some = random.Random(0).sample(range(small.allocations), 6)
        assert [place for place in some if not is_survived(small, place)] == []


@pytest.mark.nightly
def test_want_of_memory_at_every_single_place_halves_a_batch_and_loses_nothing():
    with PretendedDevices() as gpus:
        small = Small(gpus)
        assert [place for place in range(small.allocations) if not is_survived(small, place)] == []


def test_a_batch_is_halved_until_it_fits_a_limit():
    with PretendedDevices() as gpus:
        small = Small(gpus)
        at_rest, most = gpus.used[0], gpus.peak
        gpus.memory = at_rest + (most - at_rest) // 2
        sizes = [len(batch.rows) for batch in small.run()]
        assert sum(sizes) == len(DESIGN)
        assert max(sizes) < len(DESIGN)
        gpus.memory = at_rest + 1000
        with pytest.raises(CaseError, match="memory does not suffice for one image on this device"):
            small.run()


# Whole runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def both(pytester: pytest.Pytester, loaded: None) -> Any:
    """Run pytest on the CPU and on a pretended GPU, and give what verdicts.json of both has of their cases."""

    def run(*arguments: str, dtype: str = "float32") -> tuple[dict[str, Any], dict[str, Any]]:
        found = []
        for device in ("cpu", "cuda"):
            folder = pytester.path / device
            asked = (f"--seedshift-device={device}", f"--seedshift-dtype={dtype}", f"--seedshift-dir={folder}")
            with PretendedDevices(memory=2**33) as gpus:
                pytester.runpytest_inprocess("-p", "no:cacheprovider", *asked, *arguments)
            assert (gpus.peak > 0) == (device == "cuda")
            assert not [line for asker, line in gpus.doubles if asker == "ours"]
            found.append(cases_of(folder))
        return found[0], found[1]

    return run


def same(cpu: dict[str, Any], gpu: dict[str, Any]) -> bool:
    def told(case: dict[str, Any]) -> Any:
        return case["verdict"], case["images"], {name: each["mean"] for name, each in case["scores"].items()}

    assert cpu.keys() == gpu.keys()
    for name in cpu:
        one, other = told(cpu[name]), told(gpu[name])
        assert one[:2] == other[:2]
        assert one[2] == pytest.approx(other[2], abs=0.05)
    return bool(cpu)


ONE = (
    "--seedshift-model=toy-latent",
    "--seedshift-images=16",
    "--seedshift-batch-size=8",
    "--seedshift-exact",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-report=none",
)


def test_a_run_has_the_verdicts_of_the_cpu(both):
    assert same(*both(*ONE))


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("model", ["toy-latent", "toy-glide"])
def test_both_toys_have_the_verdicts_of_the_cpu_in_every_number_type(both, model, dtype):
    asked = (f"--seedshift-model={model}", *ONE[1:], "--seedshift-null")
    assert same(*both(*asked, dtype=dtype))


@pytest.mark.nightly
@pytest.mark.parametrize(
    "more",
    [
        ("--seedshift-trajectories=2",),
        ("--seedshift-sensitivity=always",),
        ("--seedshift-save-baseline=baseline.json", "--seedshift-thresholds=own.toml"),
        ("--seedshift-breaking-point",),
    ],
    ids=["trajectories", "sensitivity", "baseline", "breaking"],
)
def test_what_a_run_does_besides_is_done_on_a_gpu_too(both, pytester, more):
    pytester.path.joinpath("own.toml").write_text("[default]\ntop1 = 0.1\n")
    assert same(*both(*ONE, *more))


@pytest.mark.nightly
@pytest.mark.parametrize(
    "command",
    [
        ("why", "toy-latent", "--images=16", "--output=why.html"),
        ("position", "toy-latent", "--images=16", "--batch-size=16"),
        ("noise", "toy-latent", "--images=16"),
    ],
    ids=lambda command: command[0],
)
def test_an_experiment_runs_on_a_gpu(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with PretendedDevices(memory=2**33) as gpus:
        status = main([*command, "--device=cuda", "--dtype=float32", f"--dir={tmp_path}"])
        assert gpus.peak > 0
        assert not [line for asker, line in gpus.doubles if asker == "ours"]
    assert status in (0, 1), capsys.readouterr().err
