"""Outputs that pages show can be renewed by their commands, and those without a command are named here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpers.environments import ROOT
from helpers.pages import BLOCKS, PAGES
from tools import page_outputs

ILLUSTRATIONS = {
    "seedshift: 124 cases of sd21": "tests/project/test_cluster_docs.py",
    "At 99 %, mine loses at most": "a model of one's own: tests/results/test_regression.py",
    "mine is worse than its baseline": "a model of one's own: tests/plugin/test_baselines.py",
    "mine is not shown to be equivalent": "a model of one's own: tests/plugin/test_equivalence_runs.py",
    "mine: 30 versions": "a simulated history: tests/results/test_history.py",
    "Usage: seedshift": "tests/project/test_reference.py",
    "id,clip,prompt": "a file: tests/cli/test_export.py",
    "node-3 (gpu-7): sd21 has other files": "machines that are not here: tests/runner/test_cluster_preflight.py",
}
"""Outputs that no command of a page makes, by their beginning, and what holds their form."""

MARKED = {output.shown for page in PAGES.values() for output in page_outputs.outputs(page)}
FILES = {text for page in PAGES.values() for text in page_outputs.files(page).values()}


def test_every_output_has_its_command_or_is_an_illustration():
    shown = [each for each in BLOCKS if each.language in ("text", "") and each.text not in FILES]
    assert len(MARKED) > 8
    for each in shown:
        known = [begin for begin in ILLUSTRATIONS if each.text.startswith(begin)]
        assert (each.text in MARKED) != bool(known), each
        for begin in known:
            assert (ROOT / ILLUSTRATIONS[begin].rpartition(": ")[2]).exists()


PAGE = """# Page

`some/letters.txt`:

```text
x
a 1
b 2
c 3
```

<!-- output: cat some/letters.txt | from: ^a | to: ^b -->

```text
a 9
b 9
```

```python
for n in range(2):
    print(n)
```

<!-- output: the program above -->

```text
7
```
"""


def test_outputs_are_renewed_and_the_rest_of_a_page_stays(tmp_path):
    shown = page_outputs.files(PAGE)
    made = {each.command: page_outputs.run(each.command, tmp_path, shown=shown) for each in page_outputs.outputs(PAGE)}
    assert len(made) == 2
    assert page_outputs.renewed(PAGE, made) == PAGE.replace("a 9\nb 9", "a 1\nb 2").replace("7\n", "0\n1\n")
    with pytest.raises(ValueError, match="no line with '\\^z'"):
        page_outputs.part("a\n", [("^z", "^a")])
    with pytest.raises(ValueError, match="give pairs"):
        page_outputs.outputs("<!-- output: true | from: a -->\n```\n```\n")


def test_another_shape_is_seen_and_another_figure_is_none():
    assert page_outputs.shape("mean ≈0.50✗  1\n") == page_outputs.shape("mean  ≈1.00   2\n")
    assert page_outputs.shape("mean 0.50\n") != page_outputs.shape("std 0.50\n")


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if page_outputs.outputs(text)])
def test_pages_show_what_their_commands_print(page):
    done = subprocess.run([sys.executable, "-m", "tools.page_outputs", page], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
