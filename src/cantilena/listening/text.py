"""Arguments of the form NAME=VALUE, and the texts that listeners read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cantilena.errors import InputError, UsageError

_MAX_NAME_LENGTH = 40
_MAX_TEXT_LENGTH = 4000


def arm_folders(arguments: Sequence[str]) -> dict[str, Path]:
    """Parse arguments `NAME=DIR`.

    Raises:
        UsageError: an argument has another form, or a name is invalid or given twice.

    Examples:
        >>> arm_folders(["human=scores", "lstm=a=b"])["lstm"].name
        'a=b'
    """
    return {name: Path(folder) for name, folder in _parse_pairs(arguments, "--arm", "DIR").items()}


def check_folders(folders: Mapping[str, Path]) -> None:
    """Check that each arm has a folder of its own.

    Raises:
        InputError: a folder does not exist or cannot be read.
        UsageError: two arms have the same folder.
    """
    arms: dict[Path, str] = {}
    for arm, folder in folders.items():
        try:
            is_folder, resolved = folder.is_dir(), folder.resolve()
        except OSError as error:
            raise InputError(f"cannot read {folder}: {error.strerror}", "check the path") from error
        if not is_folder:
            raise InputError(f"{folder} is not a folder", "give a folder of MIDI files: --arm NAME=DIR")
        if resolved in arms:
            raise UsageError(f"{arms[resolved]} and {arm} are the same folder", "give each arm its own melodies")
        arms[resolved] = arm


def arm_shares(arguments: Sequence[str], arms: Sequence[str]) -> tuple[float, ...]:
    """Parse arguments `NAME=SHARE`, one for each arm; the result is in the order of `arms`.

    Raises:
        UsageError: an arm is missing or unknown, or a share is not between 0 and 1.

    Examples:
        >>> arm_shares(["lstm=0.2", "human=0.7"], ["human", "lstm"])
        (0.7, 0.2)
    """
    pairs = _parse_pairs(arguments, "--share", "SHARE")
    if set(pairs) != set(arms):
        raise UsageError(
            f"shares are given for {', '.join(pairs) or 'no arm'}",
            f"give one for each arm, such as {' '.join(f'--share {arm}=0.5' for arm in arms)}",
        )
    shares = []
    for arm in arms:
        try:
            share = float(pairs[arm])
        except ValueError:
            share = -1.0
        if not 0 < share < 1:
            raise UsageError(f"--share {arm}={pairs[arm][:20]} is not a share", "give a number between 0 and 1")
        shares.append(share)
    return tuple(shares)


def _parse_pairs(arguments: Sequence[str], flag: str, value_name: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not separator or not value.strip() or not name.strip():
            raise UsageError(f"{flag} {argument[:40]!r} is not NAME={value_name}", f"write {flag} human={value_name}")
        if len(name) > _MAX_NAME_LENGTH or not name.isprintable() or set(name) & set("/\\\"'<>,"):
            raise UsageError(
                f"{name[:_MAX_NAME_LENGTH]!r} is not a valid name of an arm", "use up to 40 letters and digits"
            )
        if name in pairs:
            raise UsageError(f"{flag} is given twice for {name}", f"give each arm one {flag}")
        pairs[name] = value
    return pairs


DEFAULT_TEXTS: Mapping[str, Any] = {
    "consent": "You will hear short clips of piano music and say of each whether a person or a computer composed it. "
    "Your answers are kept without your name. You may stop at any time.",
    "question": "Who composed this: a human or a computer?",
    "confidence": ["a guess", "rather sure", "sure", "certain"],
    "known": "I know this piece",
    "training": "For how many years have you had lessons in music?",
    "attention": "If you hear one single note again and again, answer: computer, certain.",
    "ratings": {"liking": "How much do you like it?", "classical": "How classical does it sound?"},
}
"""The texts that listeners read. They are part of the study file and of its digest: another wording changes both."""


def study_texts(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a study file, with the default for each that is missing or invalid.

    Examples:
        >>> study_texts({"known": "Heard before", "question": 7})["known"]
        'Heard before'
        >>> study_texts({"known": "Heard before", "question": 7})["question"]
        'Who composed this: a human or a computer?'
    """
    return {
        name: texts[name] if _is_like(texts.get(name), default) else default for name, default in DEFAULT_TEXTS.items()
    }


def _is_like(value: Any, default: Any) -> bool:  # noqa: ANN401  (JSON)
    if isinstance(default, list):
        return isinstance(value, list) and len(value) == len(default) and all(map(_is_text, value))
    if isinstance(default, dict):
        return isinstance(value, dict) and set(value) <= set(default) and all(map(_is_text, value.values()))
    return _is_text(value)


def _is_text(value: Any) -> bool:  # noqa: ANN401  (JSON)
    return isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= _MAX_TEXT_LENGTH
