"""A name that is not there is answered with the nearest that is."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_MOST_NAMES = 12


def near_names(asked: str, known: Collection[str], kind: str) -> str:
    """A hint for a name that nobody knows.

    Args:
        asked: what the user wrote.
        known: what there is.
        kind: what these are, as "the rules".

    Example:
        >>> near_names("tonik", ["key", "tonic"], "the rules")
        'did you mean tonic? the rules: key, tonic'
        >>> near_names("tonik", [], "the rules")
        'the rules: none'
    """
    listed = list(known)
    near = difflib.get_close_matches(asked, listed, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    more = f", and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
    return f"{meant}{kind}: {', '.join(listed[:_MOST_NAMES]) or 'none'}{more}"
