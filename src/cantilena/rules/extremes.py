"""The highest and the lowest note of a melody come once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.reading import FIRST_TONE, codes, last_steps
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import GAULDIN

_NEVER = 32767  # above every code


def unique_extremes(line: Line) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the highest event and the lowest tone of each melody come once, both `(melodies,)`.

    As RL Tuner counts: where no tone is struck a single hold among offs is a unique highest event, and there is no
    lowest tone.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> highest, lowest = unique_extremes(GridEncoding().line(np.array([[14, 16, 18, 14]])))
        >>> highest.tolist(), lowest.tolist()
        ([True], [False])
    """
    seen = np.where(line.valid, codes(line), -1)
    highest = line.valid & (seen == seen.max(axis=1, keepdims=True, initial=-1))
    struck = np.where(seen >= FIRST_TONE, seen, _NEVER)
    lowest = (seen >= FIRST_TONE) & (seen == struck.min(axis=1, keepdims=True, initial=_NEVER))
    return highest.sum(axis=1) == 1, lowest.sum(axis=1) == 1


@rule("extremes", source=GAULDIN)
def rl_tuner_extremes(
    line: Line,
    context: Context,
    *,
    highest: float = 3.0,
    lowest: float = 3.0,
) -> Rewards:
    """On the last step, a highest and a lowest note that came once are rewarded."""
    highest_once, lowest_once = unique_extremes(line)
    earned = np.where(highest_once, highest, 0.0) + np.where(lowest_once, lowest, 0.0)
    return np.where(last_steps(line), earned[:, None], 0.0)
