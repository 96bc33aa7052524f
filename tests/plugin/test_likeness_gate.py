"""Pictures held against those of a baseline: the same model, another engine, and what cannot be compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers.runs import PAGELESS, SMALL, cases_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import baseline_embeddings, baseline_sources

ONE = (*SMALL, "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
EASY = "[default]\ntop1 = 0.0\n"
ALIKE = f"{EASY}[likeness]\nssim = 0.95\npsnr = 30\nembedding = {{ min = 0.9, floor = 0.5, share = 0.9 }}\n"
SHIFTED = "toy-latent-mean-+0.30"


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture
def base(pytester, run, kept) -> Path:
    """A folder with `base`, a baseline with pictures, `base.json`, one without, and the run folder of the first."""
    if not kept.joinpath("base.json").exists():
        pytester.path.joinpath("thresholds.toml").write_text(f"{EASY}clip = 0.0\n")
        run(*ONE, "--seedshift-save-baseline=base").assert_outcomes(passed=2)
        for name in ("base", ".seedshift"):
            shutil.move(pytester.path / name, kept / name)
        baseline_sources.load(kept / "base").write(kept / "base.json")
    return kept


@pytest.fixture
def gate(pytester, run, base):
    """Run a grid under thresholds, with a copy of the baseline beside it."""
    shutil.copytree(base / "base", pytester.path / "base")

    def start(*arguments, thresholds=ALIKE, baseline="base"):
        pytester.path.joinpath("thresholds.toml").write_text(thresholds)
        return run(*arguments, *([f"--seedshift-baseline={baseline}"] if baseline else []))

    return start


def test_the_same_model_is_alike_to_the_last_level_and_makes_nothing_anew(pytester, gate):
    result = gate(*ONE, "--junitxml=junit.xml")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*likeness to the baseline*equal*",
            "*toy-latent control *1.000 * ∞ *1.000 * 16 of 16 *",
            "*PSNR counts 60 dB*",
        ]
    )
    record = cases_of(pytester.path / ".seedshift")[SHIFTED]
    told = record["likeness"]
    assert (told["pairs"], told["equal"], told["scores"]["likeness_ssim"]["mean"]) == (16, 16, 1.0)
    assert told["least"]["values"] == {"ssim": 1.0, "psnr": "inf", "embedding": 1.0, "equal": 1.0}
    bounds = {each["score"]: each for each in record["constraints"]}
    assert {name: each["measured"] for name, each in bounds.items() if name.startswith("likeness_")} == {
        "likeness_ssim": 1.0,
        "likeness_psnr": 60.0,
        "likeness_embedding": 1.0,
        "likeness_embedding_at_0.5": 1.0,
    }
    properties = {
        each.get("name"): each.get("value") for each in ElementTree.parse("junit.xml").iterfind(".//property")
    }
    assert properties["seedshift_likeness_ssim"] == "1.0"
    assert properties["seedshift_likeness_equal"] == "16"
    page = pytester.path.joinpath(".seedshift/report.html").read_text()
    assert "Likeness to the baseline" in page
    assert "16 of 16" in page

    again = gate(*ONE)
    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines(["*32 of 32 images looked at, 0 generated*"])
    assert cases_of(pytester.path / ".seedshift")[SHIFTED]["likeness"] == told


def test_half_the_steps_fail_by_likeness_early_with_the_pair_that_is_least_alike(pytester, gate):
    grid = [each for each in ONE if each not in ("--seedshift-exact", "--seedshift-model=toy-latent")]
    result = gate(*grid, "--seedshift-model=toy-latent+steps=3", thresholds=f"{EASY}[likeness]\nssim = 0.99\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*fails without any shift: SSIM to the baseline 0.* < 0.99*after * of 16 images*"])
    record = cases_of(pytester.path / ".seedshift")["toy-latent+steps=3-none-+0.00"]
    assert record["verdict"] == "fail"
    assert record["images"] < 16
    least = record["likeness"]["least"]
    assert 0 < least["values"]["ssim"] < 0.99
    for side in ("picture", "baseline"):
        assert pytester.path.joinpath(".seedshift", least[side]).is_file()
    page = pytester.path.joinpath(".seedshift/report.html").read_text()
    assert "The pair of each case that is least alike" in page
    assert f"{least['label']}, seed {least['seed']}: SSIM" in page


def test_another_baseline_never_gets_the_likeness_to_this_one(pytester, gate, run):
    thresholds = f"{EASY}[likeness]\nssim = 0.5\n"
    gate(*ONE, thresholds=thresholds).assert_outcomes(passed=2)
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    half = [each.replace("toy-latent", "toy-latent+dtype=bfloat16") for each in ONE]
    run(*half, "--seedshift-save-baseline=other", "--seedshift-dir=other-run").assert_outcomes(passed=2)
    gate(*ONE, thresholds=thresholds, baseline="other").assert_outcomes(passed=2)
    told = cases_of(pytester.path / ".seedshift")[SHIFTED]["likeness"]
    assert told["equal"] == 0
    assert 0.9 < told["scores"]["likeness_ssim"]["mean"] < 1
    back = gate(*ONE, thresholds=thresholds)  # the first one's is still there
    back.stdout.fnmatch_lines(["*0 generated*"])
    assert cases_of(pytester.path / ".seedshift")[SHIFTED]["likeness"]["equal"] == 16


def test_what_cannot_be_compared_is_said_before_anything_is_generated(pytester, gate, base):
    def refused(*says, thresholds=ALIKE, baseline="base", arguments=ONE):
        result = gate(*arguments, thresholds=thresholds, baseline=baseline)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*{each}*" for each in says])
        store = pytester.path / ".seedshift/samples.sqlite"
        assert not store.exists() or not list(pytester.path.joinpath(".seedshift").rglob("*.png"))

    refused(
        "likeness? of embedding, psnr, ssim is set, and no baseline is given: add --seedshift-baseline=FOLDER",
        baseline=None,
    )
    refused("base.json has no pictures of the 16 pairs*--seedshift-save-baseline=FOLDER", baseline=base / "base.json")
    refused("16 pairs in base, 32 in this run", arguments=[each.replace("16", "32") for each in ONE])
    pictures = sorted(pytester.path.joinpath("base/pictures").iterdir())
    whole = pictures[0].read_bytes()
    for torn, says in ((whole[:-9], "edited, or is cut off"), (pictures[1].read_bytes(), "is not the picture")):
        pictures[0].write_bytes(torn)
        refused(says)
    pictures[0].unlink()
    refused("the picture*base/pictures/*.png*restore it, or save the baseline again")
    pictures[0].write_bytes(whole)
    gate(*ONE, thresholds=f"{EASY}[likeness]\nssim = 0.95\n").assert_outcomes(passed=2)


def test_embeddings_of_the_baseline_are_kept_checked_and_not_made_again(pytester, gate, monkeypatch):
    from pytest_seedshift.scorers.clip import ClipScore

    half = [each.replace("toy-latent", "toy-latent+dtype=bfloat16") for each in PAGELESS]
    thresholds = f"{EASY}[likeness]\nembedding = 0.5\n"
    (file,) = pytester.path.joinpath("base/embeddings").iterdir()
    whole, seen = file.read_bytes(), []
    plain = ClipScore._see
    monkeypatch.setattr(ClipScore, "_see", lambda self, images: (seen.append(len(images)), plain(self, images))[1])

    def cosine(folder: str) -> float:
        seen.clear()
        gate(*half, f"--seedshift-dir={folder}", thresholds=thresholds).assert_outcomes(passed=2)
        told = cases_of(pytester.path / folder)[SHIFTED.replace("latent", "latent+dtype=bfloat16")]["likeness"]
        return told["scores"]["likeness_embedding"]["mean"]

    for edited in (whole[:-9], whole[:-9] + b"edited...", b""):
        file.write_bytes(edited)
        result = gate(*half, thresholds=thresholds)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*not the embeddings*Restore it, or remove it*"])
        assert not seen
    file.write_bytes(whole)
    kept = cosine("kept")
    assert sum(seen) == 32  # this run's own
    file.unlink()
    baseline_embeddings.forget()
    assert cosine("gone") == pytest.approx(kept, abs=1e-6)
    assert 0.5 < kept < 1
    assert sum(seen) == 64


def test_a_marker_asks_for_likeness_above_the_tables_and_of_its_own_cases_alone(pytester, gate):
    pytester.makepyfile(
        """
        import pytest

        ALIKE = {"ssim": {"floor": 0.9, "share": 0.5}, "psnr": 30}

        @pytest.mark.reliability(shifts="mean", magnitudes=0.3, likeness=ALIKE)
        def test_alike():
            pass

        @pytest.mark.reliability(shifts="std", magnitudes=0.3)
        def test_other():
            pass
        """
    )
    thresholds = f"{EASY}[likeness]\nssim = 1.0\n[shift.std.likeness]\nssim = 0.0\n[shift.none.likeness]\nssim = 0.0\n"
    result = gate(*PAGELESS, "--seedshift-allow-missing", "-k", "test_alike", thresholds=thresholds)
    result.assert_outcomes(passed=2, deselected=2)
    told = cases_of(pytester.path / ".seedshift")
    bounds = {each["score"] for each in told[SHIFTED]["constraints"] if each["score"].startswith("likeness")}
    assert bounds == {"likeness_ssim_at_0.9", "likeness_psnr"}
    assert all(each["likeness"]["equal"] == 16 for each in told.values())


@pytest.mark.nightly
def test_a_run_folder_with_all_of_its_pictures_serves_and_one_with_some_does_not(pytester, gate, run, base):
    gate(*ONE, thresholds=f"{EASY}[likeness]\nssim = 0.95\n", baseline=base / ".seedshift").assert_outcomes(passed=2)
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    run(*ONE, "--seedshift-dir=few").assert_outcomes(passed=2)
    result = gate(*ONE, baseline="few")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*few has pictures of * of the 16 pairs of *"])


def test_pictures_of_another_size_are_an_error_of_the_case(pytester, gate):
    entry = '[models.toy-latent]\npipeline = "{}"\nclasses = "toy16"\nscorers = "toy"\nheight = 32\nwidth = 32\n'
    from importlib.resources import files

    toy = str(files("pytest_seedshift").joinpath("models", "toys", "toy-latent"))
    result = gate(*ONE, thresholds=f"{EASY}[likeness]\nssim = 0.95\n{entry.format(toy)}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*base has pictures of 64×64 pixels*makes 32×32*"])


def test_a_first_run_that_makes_its_baseline_leaves_likeness_out(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[likeness]\nssim = 0.95\n")
    named = "--seedshift-save-baseline=mine", "--seedshift-baseline=mine"
    run(*ONE, *named).assert_outcomes(passed=2)
    assert "likeness" not in json.dumps(cases_of(pytester.path / ".seedshift"))
    run(*ONE, *named).assert_outcomes(passed=2)
    assert cases_of(pytester.path / ".seedshift")[SHIFTED]["likeness"]["equal"] == 16
    assert list(pytester.path.joinpath("mine/pictures").iterdir())


@pytest.mark.nightly
def test_shards_merge_to_the_run_with_the_likeness_of_all_cases(pytester, gate, capsys):
    half = [each.replace("toy-latent", "toy-latent+dtype=bfloat16") for each in ONE]
    thresholds = f"{EASY}[likeness]\nssim = {{ min = 0.5, floor = 0.4, share = 0.5 }}\n"
    for shard in ("1", "2"):
        gate(*half, f"--seedshift-shard={shard}/2", f"--seedshift-dir=s{shard}", thresholds=thresholds)
    assert main(["merge", "s1", "s2", "--output", "whole"]) == 0, capsys.readouterr().err
    cases = cases_of(pytester.path / "whole")
    assert {each["likeness"]["pairs"] for each in cases.values()} == {16}
    least = [each["likeness"]["least"][side] for each in cases.values() for side in ("picture", "baseline")]
    assert all(pytester.path.joinpath("whole", name).is_file() for name in least)
    capsys.readouterr()
    assert main(["compare", "base", "whole", "--model", "toy-latent+dtype=bfloat16=toy-latent"]) == 0
    assert "likeness to the baseline" in capsys.readouterr().out

    forged = json.loads(pytester.path.joinpath("s1/verdicts.json").read_text())
    forged["cases"][0]["likeness"]["least"]["picture"] = "../../outside.png"
    pytester.path.joinpath("s1/verdicts.json").write_text(json.dumps(forged))
    assert main(["merge", "s1", "s2", "--output", "other"]) != 0
