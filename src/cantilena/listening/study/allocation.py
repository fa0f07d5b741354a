"""Who hears which clips: every clip equally often, every listener as many of each arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def allocate(listeners: int, arms: int, clips: int, heard: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal the clips of each arm out in turn, each arm's in a random order of its own.

    After any number of listeners no clip of an arm was heard more than one time oftener than another, and nobody hears
    one twice.

    Args:
        listeners: how many.
        arms: how many.
        clips: of each arm.
        heard: clips of each arm that one listener hears, `clips` at most.
        rng: the randomness.

    Returns:
        `(listeners, arms, heard)` numbers of clips; those of arm a run from a * clips.

    Example:
        >>> dealt = allocate(6, arms=2, clips=4, heard=2, rng=np.random.default_rng(1))
        >>> np.bincount(dealt.ravel()).tolist()
        [3, 3, 3, 3, 3, 3, 3, 3]
    """
    places = (np.arange(listeners)[:, None] * heard + np.arange(heard)) % clips
    dealt = np.empty((listeners, arms, heard), np.int64)
    for arm in range(arms):
        dealt[:, arm] = arm * clips + rng.permutation(clips)[places]
    return dealt
