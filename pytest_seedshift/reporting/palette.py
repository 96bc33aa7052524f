"""The colours of all that is shown: the pages, pytest-html's page, the figures on both. Nobody else names one."""

from __future__ import annotations

from collections.abc import Mapping

SERIES = ("#0072b2", "#c24a00", "#00805d", "#a8528a", "#8a6100", "#2f7fb5")
"""Of lines, on light paper: distinguishable with every common kind of colour blindness, and dark enough to be read."""

_ROWS = (
    ("paper", "raised", "ink", "ink-soft", "line", "link"),
    ("fail", "fail-soft", "pass", "pass-soft", "error", "error-soft"),
    ("kept", "gone", "bound"),
    tuple(f"series-{index}" for index in range(len(SERIES))),
)

_MARK = "/* light */"

LIGHT: Mapping[str, str] = {
    "paper": "#fff",
    "raised": "#f6f7f9",
    "ink": "#16191d",
    "ink-soft": "#545b64",
    "line": "#d9dde3",
    "link": "#0b57a4",
    "fail": "#a8201a",
    "fail-soft": "#fdeceb",
    "pass": "#1b6b3a",
    "pass-soft": "#e9f5ed",
    "error": "#7a4b00",
    "error-soft": "#fff4df",
    "kept": "#eef4fa",
    "gone": "#f3a56d",
    "bound": "#3d444d",
    **{f"series-{index}": colour for index, colour in enumerate(SERIES)},
}
"""By name, on light paper."""

_DARK_SERIES = ("#5bb8f0", "#ff9457", "#3fcca3", "#e79cca", "#e5b84a", "#9fd0f2")
DARK: Mapping[str, str] = {
    "paper": "#14171b",
    "raised": "#1d2127",
    "ink": "#e8eaed",
    "ink-soft": "#aab2bd",
    "line": "#363d47",
    "link": "#8ec3ff",
    "fail": "#ff9c94",
    "fail-soft": "#3a1b1a",
    "pass": "#83d6a1",
    "pass-soft": "#15301f",
    "error": "#f1c277",
    "error-soft": "#33270f",
    "kept": "#1d2a38",
    "gone": "#7d3a10",
    "bound": "#d5dae1",
    **{f"series-{index}": colour for index, colour in enumerate(_DARK_SERIES)},
}
"""The same on dark paper."""

SPOT = "#c4006b"
"""Of a mark on a picture, whatever its colours are."""

PLAIN: Mapping[str, str] = {**LIGHT, "paper": "#ffffff", "line": "#999999"}
"""Where no style is in force: in full, as attributes of SVG have them, and lines that nothing else sets off."""


def css(rules: str) -> str:
    """Rules of CSS with the colours as variables, `--ink: #16191d`, as the reader's system asks: light or dark.

    Args:
        rules: that use them; a line `/* light */` within is where the light ones are to be in force again, as on paper.
    """
    again = f"    {_MARK}\n"
    return (
        f":root {{\n  color-scheme: light dark;\n{_variables(LIGHT, '  ')}}}\n"
        f"@media (prefers-color-scheme: dark) {{\n  :root {{\n{_variables(DARK, '    ')}  }}\n}}\n"
    ) + rules.replace(again, _variables(LIGHT, "    "))


def _variables(colours: Mapping[str, str], indent: str) -> str:
    return "".join(f"{indent}{' '.join(f'--{name}: {colours[name]};' for name in row)}\n" for row in _ROWS)
