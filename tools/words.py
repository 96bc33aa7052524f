"""Lists the longest sentences, and words that the field does not use, in pages and in messages.

python -m tools.words [ROOT] [--longest N] [--dialect]
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST = 25
"""Words that a sentence should have at most."""

DIALECT = {
    r"\btold from\b": "significantly different from",
    r"\b(is|are|was|were|not|be) told\b|\btells? of\b|\bwhat .{1,20} tells\b": "reported",
    r"\bto be had\b": "available",
    r"\bnot as (it|they) (was|were) written\b": "fails its checksum",
    r"\bwhat is kept of\b|\bkeeps of\b": "retained score",
    r"\bis asked of\b|\basked of\b|\basks? of\b": "is required of",
    r"\b(has|have) (no|its|their) say\b": "applies",
    r"\bis none\b|\bare none\b": "is not one",
    r"\bof one's own\b|\bof somebody's own\b": "of your own",
    r"\bis to come\b": "remains",
    r"\bfrom its beginning\b": "from the start",
    r"\bis at fault\b": "causes it",
    r"\bso many\b": "this many",
    r"\bcounts as told\b|\bseparated from none\b": "significant",
}
"""Words of the project's own dialect, and what the field says."""


def prose(page: str) -> str:
    """A page without code, tables, links' targets and marks."""
    text = re.sub(r"^```.*?^```$", "\n", page, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^\|.*$|^!\[.*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^(#+ .*)$", r"\1.\n", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`", "CODE", text)
    return re.sub(r"^\s*([-*]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)


def sentences(text: str) -> Iterator[str]:
    """Sentences of a text: they end with a point, or with a paragraph."""
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9`“\"(*±✗≈[-])", " ".join(paragraph.split())):
            if sentence.strip(" .#*"):
                yield sentence.strip()


def messages(source: str) -> Iterator[str]:
    """Texts of a module that users may read: all with two blanks in them, but for docstrings and SQL."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented)]
    docs = {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | inner:
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        else:
            continue
        if text.count(" ") >= 2 and not text.lstrip().startswith("CREATE TABLE"):
            yield re.sub(r"\n\s+(?=[A-Z])", "\n\n", text)


def page_text(template: str) -> str:
    """What a template of the report says: without styles, scripts and tags, `X` where a value goes."""
    text = re.sub(r"\{#.*?#\}|<(style|script)\b.*?</\1>", "", template, flags=re.DOTALL)
    text = re.sub(
        r"</?(p|li|t[dhr]|h\d|d[dtl]|div|section|fig\w+|summary|details|table|[uo]l)\b[^>]*>| · ", "\n\n", text
    )
    text = re.sub(r"\{\{.*?\}\}", "X", re.sub(r"\{%.*?%\}", " ", text, flags=re.DOTALL), flags=re.DOTALL)
    return re.sub(r"<[^>]*>", "", text)


def found(root: Path) -> dict[str, list[tuple[Path, str]]]:
    """By kind, the texts of a working tree with the files that they are in: `pages` of the docs, and `messages`."""
    package = root / "pytest_seedshift"
    pages = [root / "README.md", *sorted(root.glob("docs/**/*.md"))]
    modules = [(module, text) for module in sorted(package.rglob("*.py")) for text in messages(module.read_text())]
    templates = [(template, page_text(template.read_text())) for template in sorted(package.rglob("*.jinja2"))]
    return {"pages": [(page, prose(page.read_text())) for page in pages], "messages": [*modules, *templates]}


def by_length(texts: Iterable[tuple[Path, str]]) -> list[tuple[int, Path, str]]:
    """All sentences with their numbers of words, the longest first."""
    all_of_them = [(len(each.split()), path, each) for path, text in texts for each in sentences(text)]
    return sorted(all_of_them, key=lambda each: -each[0])


def dialect(texts: Iterable[tuple[Path, str]]) -> list[tuple[Path, str, str]]:
    """Places of dialect: the file, the words, and what the field says."""
    return [
        (path, match.group(), better)
        for path, text in texts
        for pattern, better in DIALECT.items()
        for match in re.finditer(pattern, " ".join(text.split()))
    ]


def main() -> None:
    """Print the figures of pages and messages, the longest sentences, and where dialect stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path())
    parser.add_argument("--longest", type=int, default=10, metavar="N")
    parser.add_argument("--dialect", action="store_true", help="list each place")
    options = parser.parse_args()
    for kind, texts in found(options.root).items():
        counted, places = by_length(texts), dialect(texts)
        long = sum(count > MOST for count, _, _ in counted)
        words = sum(count for count, _, _ in counted)
        share = long / max(len(counted), 1)
        print(
            f"{kind}: {words} words, {len(counted)} sentences, {long} of more than {MOST} words ({share:.0%}), "
            f"the longest has {counted[0][0]}; dialect at {len(places)} places"
        )
        for count, path, sentence in counted[: options.longest]:
            print(f"  {count:3} {path.relative_to(options.root)}: {sentence}")
        for path, match, better in places if options.dialect else ():
            print(f"      {path.relative_to(options.root)}: {match!r}, better {better!r}")


if __name__ == "__main__":
    main()
