"""Lists the longest sentences, and words that the field does not use, in pages and in messages.

python -m tools.words [ROOT] [--longest N] [--dialect]
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
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
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9`“\"(*±])", " ".join(paragraph.split())):
            if sentence.strip(" .#*"):
                yield sentence.strip()


def messages(source: str) -> Iterator[str]:
    """Texts of a module that users may read: all with two blanks in them, but for docstrings."""
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
        if text.count(" ") >= 2:
            yield text


def main() -> None:
    """Print the figures of pages and messages, the longest sentences, and where dialect stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path())
    parser.add_argument("--longest", type=int, default=10, metavar="N")
    parser.add_argument("--dialect", action="store_true", help="list each place")
    options = parser.parse_args()
    pages = [options.root / "README.md", *sorted(options.root.glob("docs/**/*.md"))]
    modules = sorted((options.root / "pytest_seedshift").rglob("*.py"))
    told = {
        "pages": [(page, prose(page.read_text())) for page in pages],
        "messages": [(module, text) for module in modules for text in messages(module.read_text())],
    }
    for kind, texts in told.items():
        found = [(len(each.split()), path, each) for path, text in texts for each in sentences(text)]
        found.sort(key=lambda each: -each[0])
        long = sum(count > MOST for count, _, _ in found)
        words = sum(count for count, _, _ in found)
        places = [
            (path, match.group(), better)
            for path, text in texts
            for pattern, better in DIALECT.items()
            for match in re.finditer(pattern, " ".join(text.split()))
        ]
        share = long / max(len(found), 1)
        print(
            f"{kind}: {words} words, {len(found)} sentences, {long} of more than {MOST} words ({share:.0%}), "
            f"the longest has {found[0][0]}; dialect at {len(places)} places"
        )
        for count, path, sentence in found[: options.longest]:
            print(f"  {count:3} {path.relative_to(options.root)}: {sentence}")
        for path, match, better in places if options.dialect else ():
            print(f"      {path.relative_to(options.root)}: {match!r}, better {better!r}")


if __name__ == "__main__":
    main()
