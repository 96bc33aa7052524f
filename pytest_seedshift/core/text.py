r"""Any text for the place where it is shown: names, titles, reasons, paths, of whoever they are, stay text there.

A name may come from a file that somebody else made, and may hold anything. What can be read is shown as it is, in
every script; what cannot be seen (control characters, marks of direction, half surrogate pairs) is shown as Python
would write it, such as `\x1b`. There is a function for each place, and each takes a text as it is: none is to be given
what another one has made.
"""

from __future__ import annotations

import re
from html import escape
from unicodedata import category

_JOINERS = "\u200c\u200d"
"""Between letters of Persian and of Indic scripts, and in emoji, where they belong to what is seen."""

_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Behind a letter or an emoji, whose form they choose."""

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, without the tab and the line break
    "\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # blanks that are none, marks of direction, tags
    "\ud800-\udfff\ufdd0-\ufdef"  # halves of surrogate pairs, what is no character
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + f"{_JOINERS}{_SELECTORS}]"
)
_BREAKS = re.compile(r"[\t\n]")
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}

_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"##(?=\w*\[)")

_MARKS = re.compile(r"([`*\[\]|~]|\\(?=[!-/:-@\[-`{-~]|$)|:(?=//)|(?<=\bwww)\.)", re.IGNORECASE)
"""What Markdown reads as more than itself: a backslash before punctuation alone, links where GitHub sees them."""

_UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")
"""Those at a word's ends: within one they are letters."""

_HTML = re.compile(r"&(?=[#\w]|$)|<(?![\s=])")
"""What can begin an entity, an element or a comment."""

_LINKS = re.compile(r":(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_STARTS = re.compile(
    r"^\d{0,9}(?:(?<=\d)[.)](?=\s|$)|(?<!\d)(?:[-+](?![^\W_]|\.\d)|#(?=#{0,5}(?:\s|$))|=(?==*\s*$)|>))"
)
"""What begins an entry of a list, a heading, a quotation or the line below a heading; `-0.05` and `3.11` begin none."""

_SIGNS = re.compile(r"[$@]|#(?=\w)|:(?=(?:[\w+-]*[A-Za-z][\w+-]*|[+-]1|100|1234):)")
_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]"
_WORD = f"{_LETTER}(?:[{_JOINERS}]?{_LETTER})*"
_RIGHT_TO_LEFT = re.compile(f"{_WORD}(?: {_WORD})*")


def lines(value: object) -> str:
    """A text of several lines, such as a traceback, for a terminal or a log: see `terminal`, which keeps fewer lines.

    No line of it is a command to a CI that reads logs: GitHub's runner takes `::name::` at a line's start and
    `##[name]` anywhere, others read `##vso[` and `##teamcity[`.
    """
    return _harmless(_visible(value))


def terminal(value: object) -> str:
    r"""A message for a terminal or a log. No text in it begins a line: of our own, those behind the first are indented.

    >>> terminal("a\n::error::b\n  \x1b[1mc")
    'a\\n::error::b\n  \\x1b[1mc'
    """
    return _harmless(_visible(re.sub(r"\n(?!  )", r"\\n", str(value))))


def indented(value: object) -> str:
    """A text of several lines, likewise, whose lines behind the first are indented: none of it begins a line."""
    return re.sub(r"\n(?!  )", "\n    ", lines(value))


def terminal_line(value: object) -> str:
    """A line, or a part of one, for a terminal or a log."""
    return _harmless(line(value))


def line(value: object) -> str:
    r"""A text on one line.

    >>> line("a\tb\u202e")
    'a\\tb\\u202e'
    """
    return _BREAKS.sub(lambda match: _NAMED[match[0]], _visible(value))


def first_line(value: str) -> str:
    """The first line of a message, where there is room for one."""
    return value.partition("\n")[0]


def identifier(value: object) -> str:
    """The id of a test, which pytest shows within lines and makes ASCII on one line itself."""
    return _OLD_COMMAND.sub(r"#\\x23", str(value))


def workflow(value: object) -> str:
    """The message of a workflow command of GitHub Actions, which may have several lines."""
    return _visible(value).replace("%", "%25").replace("\n", "%0A")


def workflow_property(value: object) -> str:
    """A property's value of such a command, on one line."""
    return line(value).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def markdown(value: object) -> str:
    r"""A text as GitHub's Markdown that shows it on one line: in a paragraph, an entry of a list, a heading or a cell.

    It makes no link, no mention, no reference to an issue and no emoji either. What would be shown as it is anyway is
    not escaped, as in `Python 3.11`, `toy_latent` or `a -> b`: people read the source too. What is written from right
    to left stands in an isolate (Unicode Annex 9), as in HTML's `<bdi>`, so that it does not turn round what is beside
    it.

    >>> markdown("<b> | *x*")
    '&lt;b> \\| \\*x\\*'
    """
    plain = isolated(value)
    made = _MARKS.sub(r"\\\1", _HTML.sub(lambda match: escape(match[0]), plain))
    made = _UNDERSCORES.sub(lambda match: match[0].replace("_", r"\_"), made)
    # only its last sign makes it one: `12\. first`
    return _signs(_STARTS.sub(lambda match: rf"{match[0][:-1]}\{match[0][-1]}", made))


def markdown_html(value: object) -> str:
    """The same in a block of HTML that stands in Markdown, where only HTML is read."""
    return _LINKS.sub(r"<span>\g<0></span>", _signs(escape(isolated(value), quote=False)))


def isolated(value: object) -> str:
    """A text on one line, of which what is written from right to left stands in an isolate."""
    return _RIGHT_TO_LEFT.sub("\u2068\\g<0>\u2069", re.sub(" +", " ", line(value)).strip(" "))


def _signs(made: str) -> str:
    """Keep GitHub from reading formulas, mentions, references and emoji where Markdown has no escapes for them."""
    return _SIGNS.sub(r"<span>\g<0></span>", made)


def html(value: object) -> object:
    """A value for a page, where jinja escapes it: a text with what cannot be seen shown; HTML and numbers as is."""
    return _visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def xml(value: object) -> str:
    """A text for an XML file, whose writer escapes it: without what XML 1.0 has no way to say."""
    return _visible(value)


def plot(value: object, longest: int = 80) -> str:
    """A label of a figure, on one line, cut where there is no room for it. matplotlib must read no formulas in it."""
    made = line(value)
    return made if len(made) <= longest else f"{made[: longest - longest // 3]} … {made[-(longest // 3) :]}"


def _harmless(made: str) -> str:
    """A text without what a CI takes for a command."""
    if "::" in made:
        made = _COMMAND.sub(r"\1\\x3a", made)
    return _OLD_COMMAND.sub(r"#\\x23", made) if "##" in made else made


def _visible(value: object) -> str:
    """A text with its tabs and line breaks, and with everything else that cannot be seen shown."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    character, at, text = match[0], match.start(), match.string
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if character in _JOINERS:
        if _is_joined(before) and _is_joined(after):
            return character
    elif re.match(f"[{_SELECTORS}]", character) and _has_forms(before, character):
        return character
    return _NAMED.get(character) or escaped(character)


def _is_joined(neighbour: str) -> bool:
    """Whether a joiner beside a character can be a part of what is seen: a letter without case, a sign, an emoji."""
    return bool(neighbour) and not neighbour.isascii() and category(neighbour) in ("Lo", "Lm", "Mn", "Mc", "So", "Sk")


def _has_forms(before: str, selector: str) -> bool:
    """Whether a selector can choose a form of the character before it."""
    if not before or re.match(f"[{_SELECTORS}{_JOINERS}]", before):
        return False
    if before.isascii():
        return selector in "\ufe0e\ufe0f" and before in "0123456789#*"
    return category(before) == "Lo" or category(before)[0] in "SP"


def escaped(character: str) -> str:
    r"""A character as Python writes it: `\x1b`, `\u202e`, `\U000e0041`."""
    return (
        character.encode("ascii", "backslashreplace").decode() if ord(character) > 0x7F else f"\\x{ord(character):02x}"
    )
