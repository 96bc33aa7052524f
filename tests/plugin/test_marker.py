"""The `reliability` marker and the fixtures, in tests that people write."""

from __future__ import annotations

import pytest

from helpers.runs import PAGELESS, samples_of


def test_the_marker_alone_makes_a_test(pytester, run, verdicts):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latent", shifts=["mean", "std"], magnitudes=[0.3], images=16, clip=0.0)
        def test_mine():
            pass
        """
    )
    result = run("--strict-markers")
    result.assert_outcomes(passed=3)
    assert list(verdicts()) == ["toy-latent-none-+0.00", "toy-latent-mean-+0.30", "toy-latent-std-+0.30"]


def test_the_marker_s_thresholds_stand_above_the_file_s(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, images=16, clip={"min": 50})
        def test_mine():
            pass
        """
    )
    result = run("-k", "mean")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*breaks toy-latent: CLIP * < 50.0*"])


def test_the_marker_takes_what_it_does_not_say_from_the_options(pytester, run, verdicts):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(shifts=["std"])
        def test_mine():
            pass
        """
    )
    run(*PAGELESS).assert_outcomes(passed=2)
    assert list(verdicts()) == ["toy-latent-none-+0.00", "toy-latent-std-+0.30"]


def test_a_project_s_own_test_stands_in_for_the_built_in_suite(pytester, run):
    pytester.makepyfile("import pytest\npytestmark = pytest.mark.reliability\ndef test_mine():\n    pass\n")
    result = run(*PAGELESS, "--co", "-q")
    result.stdout.fnmatch_lines(["test_a_project*.py::test_mine?toy-latent-none-+0.00?"])
    result.stdout.no_fnmatch_line("seedshift::*")


def test_the_body_may_assert_more_and_then_the_case_has_not_passed(pytester, run, verdicts):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability
        def test_mine(reliability):
            assert reliability.case.is_control, "only the control is good enough"
        """
    )
    run(*PAGELESS).assert_outcomes(passed=1, failed=1)
    case = verdicts()["toy-latent-mean-+0.30"]
    assert case["verdict"] == "fail"
    assert "only the control is good enough" in case["reason"]


def test_the_result_tells_samples_scores_pictures_and_verdict(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability
        def test_mine(reliability, seedshift_case):
            assert reliability.case == seedshift_case
            assert len(reliability.samples) == 16
            assert {sample.pair for sample in reliability.samples} >= {sample.pair for sample in reliability.control}
            assert reliability.scores["top1"].low <= reliability.scores["top1"].mean <= reliability.scores["top1"].high
            assert all(sample.picture.exists() for sample in reliability.pictures)
            assert 8 <= len(reliability.pictures) <= 16
            assert reliability.passed
        """
    )
    run(*PAGELESS).assert_outcomes(passed=2)


def test_by_hand_with_the_result_and_no_marker_the_test_decides(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = 50.0\n")
    pytester.makepyfile("def test_mine(reliability):\n    assert not reliability.passed\n")
    run(*PAGELESS).assert_outcomes(passed=2)


def test_by_hand_with_model_shift_and_scorers(pytester, run):
    pytester.makepyfile(
        """
        import torch
        from pytest_seedshift.core import pairs

        def test_model(seedshift_model, seedshift_scorers):
            design = pairs.design(pairs.class_list("toy16"), 16)[:2]
            images = seedshift_model.generate(design)
            assert images.shape == (2, 3, *images.shape[2:]) and 0 <= images.min() <= images.max() <= 1
            scores = {}
            for scorer in seedshift_scorers:
                scores |= scorer.score(images, [pair.label for pair in design])
            assert set(scores) == {"top1", "top5", "clip"} and all(score.shape == (2,) for score in scores.values())

        def test_shift(seedshift_shift, seedshift_case):
            z = torch.randn(4, 8, 8)
            if seedshift_case.is_control:
                assert seedshift_shift(z) is z
            else:
                assert torch.equal(seedshift_shift(z), z + 0.3)
        """
    )
    result = run(*PAGELESS, "-v")
    result.assert_outcomes(passed=5)  # neither test judges a case, so the built-in suite does
    result.stdout.fnmatch_lines(["*::test_model?toy-latent? PASSED*", "*::test_shift?toy-latent-none-+0.00? PASSED*"])
    run(*PAGELESS, "-k", "test_model").assert_outcomes(passed=1, deselected=4)  # alone, without any case to judge


def test_two_tests_of_the_same_case_make_its_samples_once(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability
        def test_one():
            pass

        @pytest.mark.reliability(clip={"max_drop": 50})
        def test_two():
            pass
        """
    )
    run(*PAGELESS).assert_outcomes(passed=4)
    assert len(samples_of(pytester.path / ".seedshift")) == 32


def test_a_test_can_ask_for_the_whole_design(pytester, run, verdicts):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(exact=True)
        def test_whole(reliability):
            assert len(reliability.samples) == 17

        @pytest.mark.reliability(exact=False)
        def test_early(reliability):
            assert len(reliability.samples) < 17
        """
    )
    run("--seedshift-model=toy-latent", "--seedshift-images=17", "--seedshift-magnitude=0").assert_outcomes(passed=2)


def test_a_class_can_carry_the_marker(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(shifts="std")
        class TestMine:
            def test_one(self):
                pass
        """
    )
    run(*PAGELESS).assert_outcomes(passed=2)


def test_other_tests_run_beside_it_untouched(pytester, run):
    pytester.makepyfile("def test_plain():\n    pass\n")
    result = run(*PAGELESS)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("shift='mean'", "*reliability: unknown argument 'shift'. Did you mean 'shifts'?*"),
        ("'toy-latent'", "*reliability takes named arguments only: models, *"),
        ("models='toy-latnt'", "*unknown model 'toy-latnt'. Did you mean 'toy-latent'?*"),
        ("shifts='maen'", "*unknown shift 'maen'. Did you mean 'mean'?*"),
        ("magnitudes=float('inf')", "*magnitudes=inf: not a finite number*"),
        ("images=0", "*images=0: give a whole number of at least 1"),
        ("images=3, models='toy-latent'", "*3 images are fewer than the 16 classes*"),
        ("exact='yes'", "*exact='yes': give True or False"),
        ("top1=1.5", "*top1: min = 1.5 is outside its range, 0 to 1"),
        ("likeness={'sim': 0.9}", "*reliability likeness: unknown measure of likeness 'sim'. Did you mean 'ssim'?*"),
        ("likeness={'ssim': 95}", "*reliability likeness ssim: min = 95 is outside its range*95 % is 0.95*"),
        ("likeness={'ssim': {'floor': 0.9}}", "*likeness ssim: floor and share belong together*"),
        ("likeness=0.9", "*reliability likeness is 0.9, not a table: give a measure its least value*"),
        ("likenes={'ssim': 0.9}", "*unknown argument 'likenes'. Did you mean 'likeness'?*"),
        ("top1={'max_dorp': 0.1}", "*unknown bound 'max_dorp'. Did you mean 'max_drop'?*"),
    ],
)
def test_a_mistake_in_the_marker_is_a_usage_error(pytester, run, arguments, message):
    pytester.makepyfile(f"import pytest\n@pytest.mark.reliability({arguments})\ndef test_mine():\n    pass\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
