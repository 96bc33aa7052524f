"""Every option, on the command line and as an ini key."""

from __future__ import annotations

import pytest

from helpers.runs import IMPOSSIBLE, PAGELESS, SMALL, cases_of, samples_of
from pytest_seedshift.plugin import options


def collected(result: pytest.RunResult) -> list[str]:
    return [line.partition("[")[2].rstrip("]") for line in result.outlines if line.startswith("seedshift::")]


def test_help_explains_every_option_with_its_default(pytester):
    text = pytester.runpytest_inprocess("--help").stdout.str()
    words = " ".join(text.split())
    for option in options.OPTIONS:
        assert option.flag in words
        assert option.key in words
        assert f"(default: {option.default})" in words


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seedshift-shift=mean,std"],
        ["--seedshift-shift=mean", "--seedshift-shift=std"],
        ["--seedshift-shift", "mean,std"],
    ],
)
def test_shifts_are_repeatable_and_comma_separated(run, arguments):
    ids = collected(run(*SMALL, *arguments, "--seedshift-magnitude=0.1", "--co", "-q"))
    assert ids == ["toy-latent-none-+0.00", "toy-latent-mean-+0.10", "toy-latent-std-+0.10"]


def test_magnitudes_are_repeatable_comma_separated_signed_and_sorted(run):
    arguments = ["--seedshift-magnitude=0.5,-0.125", "--seedshift-magnitude", "-.3", "--seedshift-shift=mean"]
    ids = collected(run(*SMALL, *arguments, "--co", "-q"))
    assert ids[1:] == ["toy-latent-mean--0.30", "toy-latent-mean--0.125", "toy-latent-mean-+0.50"]


def test_a_variant_is_a_shift_of_its_own(run, verdicts):
    result = run(*SMALL, "--seedshift-shift=mean:exact,arrangement:permute", "--seedshift-magnitude=0.2")
    result.assert_outcomes(passed=3)
    assert verdicts()["toy-latent-arrangement:permute-+0.20"]["shift"] == "arrangement:permute"


def test_images_sets_the_size_of_the_design(run, verdicts):
    run(*PAGELESS, "--seedshift-images=17", "-k", "none")
    assert verdicts()["toy-latent-none-+0.00"]["images"] == 17


def test_a_design_has_400_images_unless_the_user_says_otherwise(run):
    result = run(
        "--seedshift-model=toy-latent", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-plan"
    )
    result.stdout.fnmatch_lines(["seedshift: 2 cases of toy-latent on cpu (float32), about * images, up to 800, *"])


def test_thresholds_names_another_file(pytester, run):
    pytester.path.joinpath("strict.toml").write_text(IMPOSSIBLE)
    run(*PAGELESS).assert_outcomes(passed=2)
    run(*PAGELESS, "--seedshift-thresholds=strict.toml").assert_outcomes(failed=2)


def test_the_shipped_thresholds_hold_where_the_folder_has_none(pytester, run):
    pytester.path.joinpath("thresholds.toml").unlink()
    result = run(*PAGELESS, "--seedshift-plan")
    result.stdout.fnmatch_lines(["seedshift: thresholds from thresholds.toml (shipped), *"])


def test_device_and_dtype_are_taken(run, verdicts):
    result = run(*PAGELESS, "--seedshift-device=cpu", "--seedshift-dtype=bfloat16", "-k", "none")
    result.stdout.fnmatch_lines(["seedshift: 1 case of toy-latent on cpu (bfloat16)*"])
    assert verdicts()["toy-latent-none-+0.00"]["dtype"] == "bfloat16"


def test_the_batch_size_does_not_change_the_scores(run, verdicts):
    run(*PAGELESS, "--seedshift-batch-size=16")
    at_once = verdicts()
    run(*PAGELESS, "--seedshift-batch-size=5")
    for name, case in verdicts().items():
        for score, estimate in case["scores"].items():
            assert estimate["mean"] == pytest.approx(at_once[name]["scores"][score]["mean"], abs=1e-3)


def test_dir_names_another_run_folder(pytester, run):
    run(*PAGELESS, "--seedshift-dir=out/run-1")
    assert len(cases_of(pytester.path / "out/run-1")) == 2
    assert not (pytester.path / ".seedshift").exists()


def test_plan_lists_cases_images_and_a_measured_time_and_stops(pytester, run):
    result = run(*PAGELESS, "--seedshift-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "seedshift: about * to generate 32 images (toy-latent * ms an image)",
            "  seedshift::test_reliability?toy-latent-none-+0.00?  16 images at most, about 16",
            "  seedshift::test_reliability?toy-latent-mean-+0.30?  16 images at most, about 16",
        ]
    )
    result.assert_outcomes()
    assert not (pytester.path / ".seedshift/verdicts.json").exists()


def test_plan_leaves_the_run_before_alone_and_reckons_with_it(pytester, run):
    run(*PAGELESS)
    before = samples_of(pytester.path / ".seedshift")
    result = run(*PAGELESS, "--seedshift-plan")
    result.stdout.fnmatch_lines(["seedshift: 32 samples of earlier runs will be used again"])
    result.stdout.no_fnmatch_line("*to generate*")
    result = run(*PAGELESS, "--seedshift-plan", "--seedshift-fresh")
    result.stdout.fnmatch_lines(["seedshift: about * to generate 32 images *"])
    assert samples_of(pytester.path / ".seedshift") == before


def test_every_option_has_an_ini_key(pytester, run):
    pytester.path.joinpath("mine.toml").write_text(IMPOSSIBLE)
    pytester.path.joinpath("pyproject.toml").write_text(
        """
        [tool.pytest.ini_options]
        seedshift_model = ["toy-latent"]
        seedshift_shift = ["mean", "std"]
        seedshift_magnitude = ["0.2", "-0.2"]
        seedshift_images = "20"
        seedshift_thresholds = "mine.toml"
        seedshift_device = "cpu"
        seedshift_dtype = "bfloat16"
        seedshift_batch_size = "7"
        seedshift_exact = true
        seedshift_dir = "elsewhere"
        seedshift_fresh = true
        seedshift_keep_images = "none"
        """
    )
    result = run("-k", "mean--0.20")
    result.assert_outcomes(failed=1, deselected=4)
    (case,) = cases_of(pytester.path / "elsewhere").values()
    assert (case["id"], case["images"], case["dtype"]) == ("toy-latent-mean--0.20", 20, "bfloat16")
    assert case["pictures"] == []
    pytester.path.joinpath("pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nseedshift_model = ["toy-latent"]\nseedshift_plan = true\n'
    )
    run("-k", "none").stdout.fnmatch_lines(["seedshift: about * to generate * ms an image)"])


def test_the_command_line_stands_above_the_ini_file(pytester, run):
    pytester.path.joinpath("pytest.ini").write_text(
        "[pytest]\nseedshift_model = toy-latent\nseedshift_shift = mean std\n"
    )
    ids = collected(run("--seedshift-shift=mixed", "--seedshift-magnitude=0.1", "--co", "-q"))
    assert ids == ["toy-latent-none-+0.00", "toy-latent-mixed-+0.10"]


@pytest.mark.parametrize(
    ("table", "models", "magnitudes"),
    [
        ("seedshift_model = ['toy-latent']\nseedshift_magnitude = [0.1, -0.3]", {"toy-latent"}, {"+0.10", "-0.30"}),
        (
            "seedshift_model = ['toy-latent', './a,b']\nseedshift_magnitude = ['0.1']",
            {"toy-latent", "./a,b"},
            {"+0.10"},
        ),
        (
            "seedshift_model = ['toy-latent']\nseedshift_magnitude = 1e-1",
            {"toy-latent"},
            {"+0.10"},
        ),
    ],
)
def test_pytest_s_own_toml_tables_may_have_numbers_and_lists(pytester, table, models, magnitudes):
    pytester.mkdir("a,b")
    pytester.makepyprojecttoml(f"[tool.pytest]\n{table}\nseedshift_shift = ['mean']\n")
    result = pytester.runpytest("--co", "-q", "-p", "no:cacheprovider")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    ids = [line.partition("[")[2].rstrip("]") for line in result.outlines if "[" in line and "none" not in line]
    assert {each.rpartition("-mean-") for each in ids} == {(m, "-mean-", x) for m in models for x in magnitudes}


def test_a_folder_with_a_comma_in_its_name_is_one_model_wherever_it_is_named(pytester):
    pytester.path.joinpath("out/lr=0.1,steps=20/ckpt").mkdir(parents=True)
    name = "./out/lr=0.1,steps=20/ckpt"
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.reliability(models=["{name}"], shifts="mean", magnitudes=0.3)
        def test_in_a_list(): pass

        @pytest.mark.reliability(models="{name},sd21", shifts="mean", magnitudes=0.3)
        def test_in_a_text(): pass

        @pytest.mark.reliability(shifts="mean", magnitudes=0.3)
        def test_by_option(): pass
        """
    )
    result = pytester.runpytest("--co", "-q", "-p", "no:cacheprovider", f"--seedshift-model={name}+ddim,toy-latent")
    ids = [line.partition("::")[2] for line in result.outlines if "::" in line and "-none-" not in line]
    assert ids == [
        f"test_in_a_list[{name}-mean-+0.30]",
        f"test_in_a_text[{name}-mean-+0.30]",
        "test_in_a_text[sd21-mean-+0.30]",
        f"test_by_option[{name}+ddim-mean-+0.30]",
        "test_by_option[toy-latent-mean-+0.30]",
    ]
