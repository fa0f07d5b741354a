"""How original melodies are, as numbers: how much of each is copied, how much is new, and what people borrow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.copies import Copies, CopyIndex
from cantilena.metrics.rules import RuleCounts
from cantilena.music import Line

NOVEL = (4, 8)
"""Of how many (interval, time) pairs the n-grams are that are looked for in the corpus."""


def originality_counts(
    line: Line,
    index: CopyIndex,
    copies: Copies | None = None,
    bound: int | None = None,
    *,
    leave_out: NDArray[Any] | None = None,
) -> RuleCounts:
    """What is copied in each melody, and out of how many.

    Per melody of two notes or more (fewer have nothing that could be copied): `copied_notes`, the notes of its longest
    copied run; `copied_share`, those over all its notes; `copied_beyond_people`, whether there are more of them than a
    bound. Per n-gram: `novel_4` and `novel_8`, those that the corpus has nowhere.

    Args:
        line: the melodies.
        index: the corpus.
        copies: what `index.copies` found in these melodies; looked for where None.
        bound: how many notes people seldom exceed (`borrowed_at_most`); None where nobody was asked.
        leave_out: `(melodies,)`: the piece that is no source of each, where copies are looked for; the n-grams of that
            piece do not count as the corpus's either.

    Raises:
        UsageError: copies or pieces left out of another number of melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> index = CopyIndex.of(GridEncoding().line(np.array([[14, 16, 18, 19, 21]])))
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 19, 21, 22, 22, 22]]))
        >>> counts = originality_counts(line, index, bound=4)
        >>> {name: round(value, 3) for name, value in counts.statistics().items()}
        {'copied_notes': 5.0, 'copied_share': 0.625, 'novel_4': 0.75, 'novel_8': nan, 'copied_beyond_people': 1.0}
    """
    found = index.copies(line, leave_out) if copies is None else copies
    if len(found.notes) != line.melodies:
        raise UsageError(f"copies of {len(found.notes)} melodies for {line.melodies}", "give those of the same line")
    judged = found.out_of > 1
    counts: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "copied_notes": (found.notes, judged),
        "copied_share": (found.notes / np.maximum(found.out_of, 1), judged),
        **{f"novel_{n}": found.novel_ngrams(n) for n in NOVEL},
    }
    if bound is not None:
        counts["copied_beyond_people"] = found.notes > bound, judged
    return RuleCounts.of(counts)


def borrowed_at_most(copies: Copies, share: float = 0.95) -> int | None:
    """How many notes the longest copied runs of so large a share of melodies have at most.

    The least number of notes that is not exceeded by that share of the melodies of two notes or more: the quantile of
    definition 1 in R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American Statistician 50,
    1996. Longer melodies borrow longer runs: ask it of people's excerpts that are as long as what is held beside them,
    without their own pieces as sources.

    Args:
        copies: what people's melodies have copied.
        share: the share of melodies that do not exceed it, above 0.

    Returns:
        None where no melody has two notes.

    Raises:
        UsageError: the share is no share.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14], [14, 16, 14], [14, 16, 18], [14, 16, 21]]))
        >>> copies = CopyIndex.of(line).copies(line, leave_out=np.arange(4))
        >>> copies.notes.tolist(), borrowed_at_most(copies, 0.25), borrowed_at_most(copies, 0.95)
        ([0, 2, 2, 2], 0, 2)
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share}", "give a share above 0 and up to 1, such as 0.95")
    notes = copies.notes[copies.out_of > 1]
    return int(np.quantile(notes, share, method="inverted_cdf")) if len(notes) else None
