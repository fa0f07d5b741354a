"""Titles and sources as text that every format can hold."""

from __future__ import annotations

import unicodedata

_LONGEST = 200
# Control, surrogate, unassigned (U+FFFE and U+FFFF among them), private use, line and paragraph separators.
_UNPRINTABLE = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}


def printable(text: str) -> str:
    r"""Return one line of valid Unicode without control characters, at most 200 characters.

    Titles come from untrusted files: line breaks, NUL bytes, lone surrogates (names that are not UTF-8) and code points
    that XML forbids would each break some format. All become spaces, and runs of spaces one.

    Examples:
        >>> printable("A\tjig \x00 in G\n")
        'A jig in G'
    """
    clean = "".join(" " if unicodedata.category(letter) in _UNPRINTABLE else letter for letter in text[: 10 * _LONGEST])
    line = " ".join(clean.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
