"""What listeners read; it is frozen with the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, Any] = {
    "consent": "You will hear short clips of piano music and say of each whether a person or a computer composed it. "
    "Your answers are kept without your name. You may stop at any time.",
    "question": "Who composed this: a human or a computer?",
    "confidence": ["a guess", "rather sure", "sure", "certain"],
    "known": "I know this piece",
    "training": "For how many years have you had lessons in music?",
    "attention": "If you hear one single note again and again, answer: computer, certain.",
    "ratings": {"liking": "How much do you like it?", "classical": "How classical does it sound?"},
}
"""The usual words."""

_LONGEST = 4000


def words_of(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a study file, the usual ones where it has none that can be shown.

    Args:
        words: as the study holds them.

    Example:
        >>> words_of({"known": "Heard before", "question": 7})["known"]
        'Heard before'
        >>> words_of({"known": "Heard before", "question": 7})["question"]
        'Who composed this: a human or a computer?'
    """
    found = dict(WORDS)
    for name, usual in WORDS.items():
        given = words.get(name)
        if isinstance(usual, str):
            is_good = _is_text(given)
        elif isinstance(usual, list):
            is_good = isinstance(given, list) and len(given) == len(usual) and all(map(_is_text, given))
        else:
            is_good = isinstance(given, dict) and set(given) <= set(usual) and all(map(_is_text, given.values()))
        if is_good:
            found[name] = given
    return found


def _is_text(given: Any) -> bool:  # noqa: ANN401  (JSON)
    return isinstance(given, str) and 0 < len(given.strip()) <= len(given) <= _LONGEST
