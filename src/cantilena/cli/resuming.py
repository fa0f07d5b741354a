"""What the words of a command line say of an interrupted run, before they are parsed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cantilena.errors import InputError


def flag_value(words: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag, written `--out runs` or `--out=runs`; None if it is not given.

    Example:
        >>> flag_value(["train", "--out=runs/a"], "--out")
        'runs/a'
    """
    following = (after for word, after in itertools.pairwise(words) if word == flag)
    joined = (word.removeprefix(f"{flag}=") for word in words if word.startswith(f"{flag}="))
    return next(itertools.chain(following, joined), None)


def with_recorded_corpus(words: Sequence[str]) -> list[str]:
    """Add the corpus of the run that `--resume` continues, unless the words name one.

    Example:
        >>> with_recorded_corpus(["--corpus", "tunes", "--out", "runs/a"])
        ['--corpus', 'tunes', '--out', 'runs/a']
    """
    out = flag_value(words, "--out")
    if "--resume" not in words or not out or flag_value(words, "--corpus") is not None:
        return [*words]
    from cantilena.runtime import read_json

    with suppress(InputError):
        match read_json(Path(out) / "run.json"):
            case {"options": {"corpus": str(corpus)}} if corpus.strip():
                return [*words, "--corpus", corpus]
    return [*words]
