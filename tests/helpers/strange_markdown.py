"""Texts that are more than text in Markdown, and a reader of GitHub's dialect."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b \\| c",
    "[link](https://example.org) ![image](x.png)",
    "**bold** _i_ ~~gone~~ `code`",
    "&lt;b&gt; &amp;",
    "- a",
    "# title",
    "12. first",
    "---",
    "two\nlines\r\nthree",
    "🦉 owl",
    "\\",
    "`",
    "$x^2$",
)


class Shown(HTMLParser):
    """The text and the elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag, _) -> None:
        self.tags.add(tag)


def shown(source: str) -> Shown:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Shown(reader.render(source))
