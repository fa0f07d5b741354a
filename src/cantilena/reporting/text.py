"""Sentences made of numbers: counted nouns, lists, a capital and a full stop."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> counted(1, "system"), counted(1200, "melody")
        ('1 system', '1,200 melodies')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def listed(parts: Sequence[str]) -> str:
    """Parts with commas, and `and` before the last.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
        ('a, b and c', 'a', '')
    """
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def sentence(text: str) -> str:
    """Text with a capital and a full stop.

    Example:
        >>> sentence("nothing was lost")
        'Nothing was lost.'
    """
    return text[:1].upper() + text[1:] + "."
