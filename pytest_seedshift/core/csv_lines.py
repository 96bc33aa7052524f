"""Lines of CSV as they stand in a file: the one way in which a user's tables are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

from pytest_seedshift.core.errors import DataError


def read(text: str, where: Callable[[int], str], separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, with the number of the first one where a quoted text has several.

    Args:
        text: of the file.
        where: of a line's number, what stands before what is wrong in it.
        separator: between values.

    Raises:
        DataError: quotation marks that do not fit.
    """
    # Split by csv alone: str.splitlines would also cut at signs that may stand within a text, such as U+2028.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{where(start)}: {error}. A text with a comma or a quotation mark needs quotes around it, and "
                'its own quotation marks twice: "the ""big"" one"'
            ) from None
        if any(value.strip() for value in values):
            yield start, values
