"""The exceptions of the package; each has one line that says what is wrong and one that says what to do.

CantilenaError
├── UsageError      wrong usage: a flag, a name or a value               (exit status 2)
├── InputError      a file or folder cannot be used as it is             (exit status 1)
│   ├── ScoreError      one score cannot be read
│   ├── CorpusError     a corpus is missing, empty or damaged
│   └── BundleError     a model bundle is missing, damaged or of another version
├── RunError        a run folder is in use, unfinished or does not match (exit status 1)
└── MissingError    an optional library is not installed                 (exit status 1)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

__version__ = "0.1.0"
"""The version of the package."""

_MAX_NAMES = 12


class CantilenaError(Exception):
    """The base class of all errors that Cantilena raises on purpose.

    Args:
        text: what is wrong, one line.
        hint: what to do about it, one line.

    Examples:
        >>> try:
        ...     raise CantilenaError("no melody in scores/", "name a folder with .mid files")
        ... except CantilenaError as error:
        ...     print(error.text, "|", error.hint)
        no melody in scores/ | name a folder with .mid files
    """

    exit_status = 1

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __reduce__(self) -> tuple[type[CantilenaError], tuple[str, str]]:
        """Keep the hint when the error is pickled, as between processes."""
        return type(self), (self.text, self.hint)


class UsageError(CantilenaError):
    """Wrong usage: a flag, a name or a value."""

    exit_status = 2


class InputError(CantilenaError):
    """A file or folder cannot be used as it is."""


class ScoreError(InputError):
    """One score cannot be read; in a folder it becomes a row in the report."""


class CorpusError(InputError):
    """A corpus is missing, empty or damaged."""


class BundleError(InputError):
    """A model bundle is missing, damaged or of another version."""


class RunError(CantilenaError):
    """A run folder is in use, unfinished, or belongs to other options."""


class MissingError(CantilenaError):
    """An optional library is not installed; the hint holds the command that installs it."""


def shown(text: str, most: int = 40) -> str:
    """Return what a message shows of wrong text: up to `most` characters of it.

    Examples:
        >>> shown("AABBA", most=3)
        'AAB..'
    """
    return text if len(text) <= most else text[:most] + ".."


def unknown_name_hint(name: str, known: Collection[str], kind: str) -> str:
    """Return a hint for an unknown name: the nearest known name, and the list of them.

    Args:
        name: what the user wrote.
        known: the known names.
        kind: what these are, as "the rules".

    Examples:
        >>> unknown_name_hint("tonik", ["key", "tonic"], "the rules")
        'did you mean tonic? the rules: key, tonic'
        >>> unknown_name_hint("tonik", [], "the rules")
        'the rules: none'
    """
    listed = list(known)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.5)
    suggestion = f"did you mean {near[0]}? " if near else ""
    more = f", and {len(listed) - _MAX_NAMES} more" if len(listed) > _MAX_NAMES else ""
    return f"{suggestion}{kind}: {', '.join(listed[:_MAX_NAMES]) or 'none'}{more}"
