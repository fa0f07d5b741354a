"""How much of a melody the machine needs to hear: accuracy against the length of excerpts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.comparison import cut
from cantilena.discriminators.options import TwoSampleOptions
from cantilena.discriminators.two_sample_test import interval_json, classifier_two_sample_test
from cantilena.errors import UsageError
from cantilena.metrics import Interval
from cantilena.music import Line
from cantilena.rules import lengths
from cantilena.runtime import progress

FAST = ("logistic", "boosting")
"""The families that listen to every length."""


@dataclass(frozen=True)
class BarsResult:
    """What the listener told from the first bars.

    Args:
        bars: how many it heard.
        accuracy: the share of right answers of the strongest family, None where there is none.
        headline: that family, or nothing.
        reason: why there is no answer, or nothing.
    """

    bars: int
    accuracy: Interval | None
    headline: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON values, None with a reason where there is no answer.

        Example:
            >>> BarsResult(8, None, reason="no melody is as long").to_json()
            {'bars': 8, 'accuracy': None, 'headline': '', 'reason': 'no melody is as long'}
        """
        accuracy = None if self.accuracy is None else interval_json(self.accuracy)
        return {"bars": self.bars, "accuracy": accuracy, "headline": self.headline, "reason": self.reason}


def two_sample_tests_by_bars(
    human: Line,
    pieces: NDArray[np.generic],
    generated: Line,
    steps_per_bar: int,
    bars: Sequence[int] = (1, 2, 4, 8, 16),
    *,
    options: TwoSampleOptions | None = None,
    generated_pieces: NDArray[np.generic] | None = None,
    quiet: bool = False,
) -> list[BarsResult]:
    """Listen to the first bars of both sides alone, with the faster families and all controls.

    Args:
        human: melodies of people.
        pieces: `(melodies,)` the piece of each.
        generated: the others.
        steps_per_bar: how many steps make a bar.
        bars: how many bars are heard each time; shorter melodies are left out.
        options: how carefully; of the families those in `FAST`, all of them where there is none.
        generated_pieces: as `pieces`; None where each was drawn by itself.
        quiet: show no progress.

    Raises:
        UsageError: bars or steps below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> steps = np.random.default_rng(1).integers(0, 3, (60, 8)).cumsum(axis=1)
        >>> up, down = GridEncoding().line(20 + steps), GridEncoding().line(20 - steps)
        >>> rows = two_sample_tests_by_bars(up, np.arange(60), down, 8, bars=(1, 2), quiet=True)
        >>> rows[0].accuracy.low > 0.8, rows[1].reason.partition(",")[0]
        (True, 'with 2 bars')
    """
    if steps_per_bar < 1 or any(size < 1 for size in bars):
        raise UsageError("an excerpt of no steps", "give 1 bar or more, and 1 step a bar or more")
    asked = options or TwoSampleOptions()
    families = tuple(name for name in asked.families if name in FAST) or FAST
    asked = replace(asked, families=families, steps_per_bar=steps_per_bar)
    own = np.arange(generated.melodies) if generated_pieces is None else np.asarray(generated_pieces)
    rows = []
    with progress("Listening to excerpts", total=len(bars), unit="lengths", quiet=quiet) as bar:
        for size in bars:
            steps = size * steps_per_bar
            long_enough, others = lengths(human) >= steps, lengths(generated) >= steps
            heard = classifier_two_sample_test(
                _first(human, long_enough, steps),
                np.asarray(pieces)[long_enough],
                _first(generated, others, steps),
                asked,
                generated_pieces=own[others],
                quiet=True,
            )
            accuracy = heard.best.accuracy if heard.best else None
            reason = f"with {size} bars, {heard.refused}" if heard.refused else ""
            rows.append(BarsResult(size, accuracy, heard.headline or "", reason))
            bar.advance(1, f"{size} bars")
    return rows


def _first(line: Line, long_enough: NDArray[np.bool_], steps: int) -> Line:
    return cut(line[long_enough], min(steps, line.steps))
