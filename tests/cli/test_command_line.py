"""The command line: help, names that are nearly right, completion in a shell, one `--output`, `--json`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from helpers import synthetic
from pytest_seedshift.__main__ import main
from pytest_seedshift.cli import COMMANDS
from pytest_seedshift.cli.parser import group

DOCS = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text()
HOSTILE = "a\x1b]0;t\x07##[error]\u202e\n::error::é"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    plan = synthetic.Plan(shifts=("mean",), pictures=0, images=8)
    synthetic.add_head(synthetic.write(tmp_path / "run", plan), plan)
    return tmp_path


def module(name: str):
    return import_module(f"pytest_seedshift.cli.{name.replace('-', '_')}")


def examples(name: str) -> list[list[str]]:
    lines = module(name).command.epilog.splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("  seedshift ")]


# Help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_of_help_with_an_example_that_can_be_read(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "-h"])
    assert ended.value.code == 0
    page = capsys.readouterr().out
    assert f"Usage: seedshift {name} " in page
    for option in module(name).command.params:
        assert option.param_type_name == "argument" or option.help.endswith("."), option.name
    assert examples(name)
    for words in examples(name):
        assert shlex.join(words) in page
        assert words[0] == name
        with module(name).command.make_context(name, words[1:]) as context:
            assert context.params


def test_the_documented_table_has_every_command_and_each_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    page = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in page
        assert f"| `{name} " in DOCS


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from pytest_seedshift.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(found.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "pydantic", "jinja2", "pytest", "sqlite3", "pytest_seedshift.cli.merge"}


# What is nearly right ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["psition", "toy-latent"], "unknown command 'psition'. Did you mean 'position'?"),
        (["convert_glide"], "unknown command 'convert_glide'. Did you mean 'convert-glide'?"),
        (["report", "run", "--out=x"], "unknown option '--out'. Did you mean '--output'?"),
        (["report", "run", "--outptu", "x"], "unknown option '--outptu'. Did you mean '--output'?"),
        (["noise", "m", "--dtype", "flaot16"], "unknown value 'flaot16'. Did you mean 'float16'?"),
        (["position", "m", "--dtype=half"], "unknown value 'half'. Known: bfloat16, float16, float32"),
        (["--helpp"], "unknown option '--helpp'. Did you mean '--help'?"),
        (["merge", "--json", "-o", "x"], "'RUN...'"),
        (["merge", "run"], "'--output'"),
        (["report", "run", "run"], "unexpected extra argument"),
        (["report", "run", "--output"], "'--output'"),
        (["why", "m", "--images=many"], "'many' is not a valid integer"),
        (["why", "m", "--images=1_6"], "'1_6' is not a valid integer"),
        (["history", "h", "--certainty=0_9"], "'0_9' is not a valid float"),
        (["compare", "a", "b", "--json=yes"], "--json"),
        ([HOSTILE], "unknown command"),
        (["report", f"--{HOSTILE}"], "unknown option"),
        (["noise", "m", f"--dtype={HOSTILE}"], "unknown value"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_was_meant_and_where_to_read_more(capsys, arguments, says):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (4, "")
    usage, error, see = told.err.splitlines()
    assert usage.startswith("Usage: seedshift")
    assert says.lower() in error.lower()
    assert see.startswith("See seedshift")
    assert "\x1b" not in told.err
    assert "##[" not in told.err


def test_a_path_that_is_a_command_s_name_is_a_path(folder, capsys):
    shutil.copytree("run", "why")
    assert main(["card", "why", "--model=toy-glide", "-o", "merge"]) == 0
    assert capsys.readouterr().out == "merge\n"


# Completion --------------------------------------------------------------------------------------------------------


def complete(line: str, **environ: str) -> list[str]:
    """The status of a command that is asked as bash asks it, and the lines that it prints."""
    words = line.split(" ")
    asked = environ or {"_SEEDSHIFT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-m", "pytest_seedshift"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
    return [str(done.returncode), *done.stdout.splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("seedshift po", ["plain,position"]),
        ("seedshift position toy-latent --out", ["plain,--output"]),
        ("seedshift noise m --dtype b", ["plain,bfloat16"]),
        ("seedshift merge sha", ["dir,sha"]),
        ("seedshift report run -o pa", ["file,pa"]),
        ("seedshift nosuch --o", []),
    ],
)
def test_a_shell_is_offered_what_may_come_next(line, offers):
    status, *offered = complete(line)
    assert (status, [each for each in offered if each]) == ("0", offers)


def test_a_shell_that_asks_for_something_else_is_told():
    status, says = complete("", _SEEDSHIFT_COMPLETE="bash_complet")
    assert (status, "Did you mean 'bash_complete'?" in says) == ("4", True)
    status, says = complete("", _SEEDSHIFT_COMPLETE="bash_complete")
    assert (status, "COMP_WORDS is not set" in says) == ("4", True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes(tmp_path):
    command = tmp_path / "seedshift"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pytest_seedshift "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(_SEEDSHIFT_COMPLETE=bash_source seedshift)"; COMP_WORDS=(seedshift comp); COMP_CWORD=1; '
        '_seedshift_completion seedshift comp seedshift; echo "${COMPREPLY[@]}"; complete -p seedshift'
    )
    environ = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environ, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    offered, registered = done.stdout.splitlines()
    assert offered == "compare"
    assert "_seedshift_completion seedshift" in registered


# Outputs -----------------------------------------------------------------------------------------------------------


def test_a_dash_is_the_standard_output_and_all_else_is_said_beside_it(folder, capfdbinary):
    for arguments, written in (
        (["report", "run", "--summary=s.md"], "run/report.html"),
        (["card", "run", "--model=toy-glide"], None),
        (["thresholds", "run"], "thresholds.toml"),
    ):
        assert main([*arguments, "-o", "-"]) == 0
        dash = capfdbinary.readouterr()
        assert written is None or not Path(written).exists()
        assert main(arguments if written else [*arguments, "--output=written"]) == 0
        assert dash.out == Path(written or "written").read_bytes(), arguments
        capfdbinary.readouterr()


def test_a_file_may_be_called_dash(folder, capsys):
    assert main(["card", "run", "--model=toy-glide", "--output=./-"]) == 0
    assert Path("-").read_text().startswith("---\n")
    assert main(["merge", "run", "-o", "-/x"]) == 4
    assert "--output -/x: " in capsys.readouterr().err


@pytest.mark.parametrize("command", [["compare", "run", "run"], ["thresholds", "run"]])
def test_the_standard_output_takes_one_of_page_and_json(folder, capsys, command):
    assert main([*command, "--json", "-o", "-"]) == 4
    told = capsys.readouterr()
    assert (told.out, "leave one of them out" in told.err) == ("", True)


JSON = {
    "compare": (["compare", "run", "run"], 0, {"version", "baseline", "certainty", "regressed", "cases", "sentences"}),
    "merge": (["merge", "run", "--output=merged"], 1, {"version", "cases", "grid", "models"}),
    "thresholds": (["thresholds", "run"], 0, {"version", "file", "bounds", "cases", "changes", "written", "text"}),
}


@pytest.mark.parametrize("name", JSON)
def test_json_has_the_documented_keys_and_nothing_else_is_on_the_standard_output(folder, capsys, name):
    arguments, status, keys = JSON[name]
    assert main([*arguments, "--json"]) == status
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert keys <= found.keys()
    assert told.err
    (line,) = [line for line in DOCS.split("\n- ") if line.startswith(f"`{name}`: ")]
    assert all(f"`{key}`" in line for key in keys)
    if name == "merge":
        assert found == json.loads(Path("merged/verdicts.json").read_text())
    if name == "thresholds":
        assert found["text"] == Path("thresholds.toml").read_text()
        assert tomllib.loads(found["text"])


def test_json_is_json_in_any_encoding_and_no_name_in_it_is_more_than_a_name(capfd):
    from pytest_seedshift.core import output

    output.begin()
    output.say_json({HOSTILE: [HOSTILE, 0.1, None], "##[group]": 1})
    text = capfd.readouterr().out
    assert json.loads(text) == {HOSTILE: [HOSTILE, 0.1, None], "##[group]": 1}
    assert text.isascii()
    assert "##" not in text
    assert not any(ord(each) < 32 for each in text.replace("\n", ""))
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    output.say_json({"a": [float("nan"), (float("-inf"), 1e308)]})
    assert json.loads(capfd.readouterr().out) == {"a": [None, [None, 1e308]]}


def test_every_output_option_is_the_same_one():
    for name in COMMANDS:
        command = group.get_command(None, name)
        for option in command.params:
            if "--output" in option.opts:
                assert (option.opts, option.metavar) == (["-o", "--output"], "PATH")
            assert not {"--out", "--into"} & set(option.opts)


@pytest.mark.parametrize("name", ["noise", "position", "why"])
@pytest.mark.parametrize(("option", "value"), [("device", "cuda:77"), ("batch-size", "0"), ("dir", "/proc/none")])
def test_an_error_names_the_option_as_the_command_has_it(folder, capsys, name, option, value):
    models = ("toy-latent", "toy-glide") if name == "why" else ("toy-latent",)
    assert main([name, *models, f"--{option}", value]) == pytest.ExitCode.USAGE_ERROR
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"error: --{option}" in said
    assert "--seedshift-" not in said


def test_an_error_leaves_the_options_of_pytest_alone_that_a_command_has_not(folder, capsys):
    assert main(["compare", "nowhere.json", "run"]) == pytest.ExitCode.USAGE_ERROR
    assert "--seedshift-save-baseline=nowhere.json" in capsys.readouterr().err


def test_an_error_has_the_command_s_own_options_and_pytest_s_in_command_lines_of_pytest(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new"):
        tmp_path.joinpath(name).mkdir()
    assert main(["compare", "old", "new"]) == 4
    told = capsys.readouterr().err
    assert "by default .seedshift), or run pytest --seedshift-model=NAME first" in told
    pytest.importorskip("ray")
    assert main(["cluster"]) == 4
    told = capsys.readouterr().err
    assert "--cluster=auto: RAY_AUTH_MODE is not set" in told
    assert " --without-token goes without" in told
    assert "--cluster=local starts a Ray of its own" in told


@pytest.mark.parametrize("name", ["why", "versus", "remedies"])
def test_unless_told_otherwise_a_command_looks_at_both_sides_of_a_shift(name):
    """Which side breaks a model is an accident of its training: one side alone may show nothing."""
    (option,) = [each for each in group.get_command(None, name).params if each.name == "magnitude"]
    sides = [float(each) for each in option.default.split(",")]
    assert sorted(sides) == sorted(-each for each in sides)
    assert len(sides) > 1
