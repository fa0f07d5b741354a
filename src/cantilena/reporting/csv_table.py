"""Tables as CSV that a spreadsheet opens and never runs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A table as CSV (RFC 4180).

    Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers keep their sign. A cell is
    empty where there is nothing or no number.

    Args:
        columns: their names.
        rows: of as many cells.

    Example:
        >>> csv_table(("name", "value"), [("=1+1", -0.5), ("lstm", float("nan"))])
        "name,value\r\n'=1+1,-0.5\r\nlstm,\r\n"
    """
    file = io.StringIO()
    writer = csv.writer(file)  # lines end as RFC 4180 wants them
    writer.writerow(columns)
    writer.writerows(map(_harmless, row) for row in rows)
    return file.getvalue()


def _harmless(cell: Any) -> Any:  # noqa: ANN401  (anything that a cell can hold)
    """A cell that no spreadsheet runs."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return f"'{cell}"
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell
