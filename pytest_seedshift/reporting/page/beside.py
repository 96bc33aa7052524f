"""A page with its style, its script and its pictures in files beside it, for hosts that forbid them within a page.

Servers of CI artifacts serve pages under a Content-Security-Policy: that of Jenkins lets styles and pictures be loaded
from where the page lies, and nothing within it. What `style` attributes say becomes rules of the style sheet.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pytest_seedshift.core import atomic_files

_POLICY = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'"
_META = re.compile(r'(<meta http-equiv="Content-Security-Policy" content=")[^"]*(">)')
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PICTURE = re.compile(r"data:image/([a-z]+);base64,([A-Za-z0-9+/=]+)")
_ATTRIBUTE = re.compile(r' style="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Parts:
    """A page in parts.

    Attributes:
        page: as HTML.
        files: by name, what lies in the folder beside it.
    """

    page: str
    files: dict[str, bytes]


def folder_of(page: Path) -> Path:
    """The folder beside a page: `report-files` of report.html."""
    return page.with_name(f"{page.stem}-files")


def split(page: str, folder: str) -> Parts:
    """Take a page apart.

    Args:
        page: one that holds all that it needs.
        folder: the name of the folder beside it.
    """
    found: dict[str, bytes] = {}
    styles = "\n".join(_STYLE.findall(page))
    scripts = "\n".join(_SCRIPT.findall(page))
    page = _STYLE.sub("", page)
    page = _SCRIPT.sub("", page)
    rules: dict[str, int] = {}

    def named(match: re.Match[str]) -> str:
        return f' data-look="{rules.setdefault(match[1], len(rules))}"'

    def picture(match: re.Match[str]) -> str:
        content = base64.b64decode(match[2])
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.{match[1]}"
        found[name] = content
        return name

    page = _ATTRIBUTE.sub(named, page)
    page = _PICTURE.sub(lambda match: f"{folder}/{picture(match)}", page)
    looks = (3 * f'[data-look="{number}"]' + f" {{ {_text(look)} }}" for look, number in rules.items())
    found["page.css"] = _PICTURE.sub(picture, "\n".join([styles, *looks])).encode()  # as strong as what they stand for
    page = _META.sub(rf"\g<1>{_POLICY}\g<2>", page)
    page = page.replace("</head>", f'<link rel="stylesheet" href="{folder}/page.css">\n</head>', 1)
    if scripts:
        found["page.js"] = scripts.encode()
        page = page.replace("</body>", f'<script src="{folder}/page.js"></script>\n</body>', 1)
    return Parts(page, found)


def write(page: str, path: Path) -> list[Path]:
    """Write a page and what lies beside it; the page last, so that it never refers to what is not there yet.

    Args:
        page: one that holds all that it needs.
        path: of the page.

    Returns:
        The page's path, and the folder's.

    Raises:
        OSError: it cannot be written.
    """
    folder = folder_of(path)
    parts = split(page, folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in parts.files.items():
        atomic_files.write(folder / name, content)
    atomic_files.write(path, parts.page)
    return [path, folder]


def _text(look: str) -> str:
    """What a `style` attribute says, without HTML's escapes."""
    return look.replace("&quot;", '"').replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")
