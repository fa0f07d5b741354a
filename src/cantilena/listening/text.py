"""`NAME=VALUE` as it is typed: arms and their folders, arms and how human they shall sound.

What listeners read; it is frozen with the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cantilena.errors import InputError, UsageError

_LONGEST = 40


def arm_folders(words: Sequence[str]) -> dict[str, Path]:
    """Read `NAME=DIR` of each.

    Raises:
        UsageError: a word that is none, a strange name, or a name given twice.

    Example:
        >>> arm_folders(["human=scores", "lstm=a=b"])["lstm"].name
        'a=b'
    """
    return {name: Path(place) for name, place in _pairs(words, "--arm", "DIR").items()}


def check_folders(folders: Mapping[str, Path]) -> None:
    """Refuse what is no folder, and a folder that is given for two arms.

    Raises:
        InputError: one is not there, or cannot be read.
        UsageError: one is given twice.
    """
    seen: dict[Path, str] = {}
    for arm, folder in folders.items():
        try:
            is_folder, place = folder.is_dir(), folder.resolve()
        except OSError as error:
            raise InputError(f"cannot read {folder}: {error.strerror}", "check the path") from error
        if not is_folder:
            raise InputError(f"{folder} is not a folder", "give a folder of MIDI files: --arm NAME=DIR")
        if place in seen:
            raise UsageError(f"{seen[place]} and {arm} are the same folder", "give each arm melodies of its own")
        seen[place] = arm


def arm_shares(words: Sequence[str], arms: Sequence[str]) -> tuple[float, ...]:
    """Read `NAME=SHARE`, one for each arm, in the order of the arms.

    Raises:
        UsageError: an arm is missing or unknown, or a share is not between 0 and 1.

    Example:
        >>> arm_shares(["lstm=0.2", "human=0.7"], ["human", "lstm"])
        (0.7, 0.2)
    """
    pairs = _pairs(words, "--share", "SHARE")
    if set(pairs) != set(arms):
        raise UsageError(
            "not a share for each arm",
            "give " + " ".join(f"--share {arm}=0.5" for arm in arms) + ", with other numbers",
        )
    shares = []
    for arm in arms:
        try:
            share = float(pairs[arm])
        except ValueError:
            share = -1.0
        if not 0 < share < 1:
            raise UsageError(
                f"{arm}={pairs[arm][:20]} is not a share", "give how often it is called human, such as 0.4"
            )
        shares.append(share)
    return tuple(shares)


def _pairs(words: Sequence[str], flag: str, what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not value.strip() or not name.strip():
            raise UsageError(f"{flag} {word[:40]!r} is not NAME={what}", f"write {flag} human={what}")
        if len(name) > _LONGEST or not name.isprintable() or set(name) & set("/\\\"'<>,"):
            raise UsageError(f"an arm cannot be called {name[:_LONGEST]!r}", "name it in up to 40 letters and digits")
        if name in found:
            raise UsageError(f"{name} is given twice", f"give each arm one {flag}")
        found[name] = value
    return found


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

_LONGEST_ANSWER = 4000


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
    return isinstance(given, str) and 0 < len(given.strip()) <= len(given) <= _LONGEST_ANSWER
