"""Titles and sources as text that every format can hold."""

from __future__ import annotations

import unicodedata

_LONGEST = 200


def printable(text: str) -> str:
    r"""One line of valid Unicode without control characters, at most 200 characters.

    Titles come from strangers' files: line breaks, NUL bytes, halves of surrogate pairs (names that are not UTF-8)
    and code points that XML forbids would each break some format. All become spaces, and runs of spaces one.

    Args:
        text: any text.

    Example:
        >>> printable("A\tjig \x00 in G\n")
        'A jig in G'
    """
    clean = "".join(" " if _is_unwritable(letter) else letter for letter in text[: 10 * _LONGEST])
    line = " ".join(clean.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def _is_unwritable(letter: str) -> bool:
    # Cc control, Cs surrogate, Cn unassigned (U+FFFE, U+FFFF among them), Co private use, Zl and Zp line breaks.
    return unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp")
