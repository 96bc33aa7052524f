"""How the documentation is built: `sphinx-build -W --keep-going docs build/docs`.

A page that no table of contents has, a link that leads nowhere, a name of the API that is not documented: all are
warnings of Sphinx, and -W makes errors of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.nodes import make_refnode

import pytest_seedshift

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "pytest-seedshift"
version = release = pytest_seedshift.__version__
copyright = f"the {project} authors"  # noqa: A001  # Sphinx's name for it

extensions = ["myst_parser", "sphinx.ext.autodoc"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sphinx = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

add_module_names = False  # what is not in the one public module is shown without its own
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
python_use_unqualified_type_names = True

_DOCSTRINGS = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FOREIGN = re.compile(
    r"(.*\.)?(Tensor|Generator|NDArray|ndarray|dtype|float64|Any|Callable|Iterator|Iterable|Mapping|Sequence|Path|PathLike"
    r"|AbstractContextManager|Protocol|Self|Image"
    r"|Given|Options|Record|Facts|SeedUse|BoundOnSeedUse|Comparison|Search|Found|Values)"
)
"""Types that lead nowhere from these pages: Python's, other libraries', and names of this package that stand for what
the text beside them says."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Read docstrings as they are written here; let the name of a type lead to where it is documented."""
    app.connect("autodoc-process-docstring", _read_docstring)
    app.connect("missing-reference", _find_by_last_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read_docstring(_app: Sphinx, what: str, name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring: sections are Google's, code stands between single backticks.

    Napoleon as an extension would take what stands before the first colon of an attribute for its type.
    """
    kind = "method" if what in ("attribute", "data", "property") else what
    text = "\n".join(lines).replace("\\", "\\\\").replace("*", "\\*")
    text = _CODE.sub(lambda found: f"``{found[1]}``\\ ".replace("\\*", "*"), text)
    lines[:] = GoogleDocstring(text, _DOCSTRINGS, what=kind, name=name, obj=obj).lines()


def _find_by_last_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Where a type is documented: annotations have it without its module, or with that in which it is defined."""
    if node.get("refdomain") != "py":
        return None
    last = node["reftarget"].rpartition(".")[2]
    found = {
        (entry.docname, entry.node_id)
        for name, entry in env.domains.python_domain.objects.items()
        if name.rpartition(".")[2] == last and entry.objtype in ("class", "exception", "data", "type")
    }
    if len(found) == 1:
        ((page, anchor),) = found
        return make_refnode(app.builder, node["refdoc"], page, anchor, content)
    return content if _FOREIGN.fullmatch(node["reftarget"]) else None
