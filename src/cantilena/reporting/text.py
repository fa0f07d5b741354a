"""Text from numbers: counted nouns, lists, signed numbers, and CSV that spreadsheets do not run."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    Examples:
        >>> counted(1, "system"), counted(1200, "melody")
        ('1 system', '1,200 melodies')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def listed(parts: Sequence[str]) -> str:
    """Parts with commas, and `and` before the last.

    Examples:
        >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
        ('a, b and c', 'a', '')
    """
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def sentence(text: str) -> str:
    """Text with a capital and a full stop.

    Examples:
        >>> sentence("nothing was lost")
        'Nothing was lost.'
    """
    return text[:1].upper() + text[1:] + "."


def signed(value: float) -> str:
    """A number with its sign, to a hundredth, with a typographic minus.

    Examples:
        >>> signed(3.0), signed(-0.375), signed(-1234.5), signed(0.0), signed(1e-4)
        ('+3', '−0.38', '−1,234.5', '0', '+0.0001')
    """
    size = abs(value)
    return _with_sign(value, f"{size:,.2f}".rstrip("0").rstrip(".") if size >= 0.005 else f"{size:.1g}")


def signed_short(value: float) -> str:
    """The same in few characters, to fit under a note.

    Examples:
        >>> signed_short(3.0), signed_short(-0.375), signed_short(-1234.5), signed_short(12.25), signed_short(0.001)
        ('+3', '−0.4', '−1234', '+12', '+0')
    """
    size = abs(value)
    return _with_sign(value, f"{size:.0f}" if size >= 9.95 else f"{size:.1f}".removesuffix(".0"))


def signed_ascii(value: float) -> str:
    """As `signed`, with an ASCII minus.

    Examples:
        >>> signed_ascii(-0.375)
        '-0.38'
    """
    return signed(value).replace("−", "-")


def _with_sign(value: float, size: str) -> str:
    return f"+{size}" if value > 0 else f"−{size}" if value < 0 else "0"


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A table as CSV (RFC 4180).

    Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers keep their sign. None and NaN
    are empty cells.

    Examples:
        >>> csv_table(("name", "value"), [("=1+1", -0.5), ("lstm", float("nan"))])
        "name,value\r\n'=1+1,-0.5\r\nlstm,\r\n"
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(map(_escaped, row) for row in rows)
    return file.getvalue()


def _escaped(cell: Any) -> Any:  # noqa: ANN401  (anything that a cell can hold)
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return f"'{cell}"
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell
