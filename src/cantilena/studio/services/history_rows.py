"""Rows of the history: an entry as it lies in the database, and as it is answered."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from cantilena.errors import UsageError
from cantilena.server import RefusalError
from cantilena.studio.schemas.responses import Entry

Row = tuple[int, str, int, str, bytes, bytes]
"""id, made, kept, title, candidate and settings, the last two packed."""

DEEPEST = 32
"""Lists and objects within each other in an entry; what is much deeper cannot be answered again."""


def packed(value: Mapping[str, Any]) -> bytes:
    """A JSON object as it is stored.

    Raises:
        UsageError: it is no JSON, or nested too deeply.

    Example:
        >>> zlib.decompress(packed({"title": "Étude"})).decode()
        '{"title":"Étude"}'
    """
    _check_depth(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise UsageError(
            "this cannot be remembered: it is no JSON", "send numbers that are finite, and UTF-8"
        ) from error
    return zlib.compress(text, 6)


def entry_of(row: Row) -> Entry:
    """An entry from its row.

    Raises:
        RefusalError: the row is damaged.
    """
    number, made, kept, title, candidate, settings = row
    try:
        return Entry(
            id=number,
            made=made,
            kept=bool(kept),
            title=title,
            candidate=_unpacked(candidate),
            settings=_unpacked(settings),
        )
    except (ValueError, TypeError, zlib.error, UsageError) as error:
        raise RefusalError(f"entry {number} of the history is damaged", "delete it") from error


def _unpacked(stored: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(zlib.decompress(stored))
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    """Refuse what is nested too deeply, looking at one level after the other."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return
    raise UsageError("this cannot be remembered: it is nested too deeply", f"send {DEEPEST} levels or fewer")
