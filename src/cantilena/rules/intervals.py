"""Which melodic intervals are preferred, and where a hold or a rest sits well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, OFF, Line
from cantilena.rules.context import Context
from cantilena.rules.reading import tone_before, tones
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import GAULDIN

_WIDEST = 127  # semitones between the lowest and the highest MIDI pitch


def melodic_intervals(line: Line) -> NDArray[np.int16]:
    """Semitones from the last tone to the one that begins, up or down, `(melodies, steps)`; -1 where there is none.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> melodic_intervals(GridEncoding().line(np.array([[14, 1, 21, 19]])))
        array([[-1, -1,  7,  2]], dtype=int16)
    """
    before = tone_before(line)
    return np.where(tones(line) & (before >= 0), np.abs(line.pitch - before), -1).astype(np.int16)


@rule("intervals", source=GAULDIN)
def rl_tuner_intervals(
    line: Line,
    context: Context,
    *,
    off: float = 0.25,
    hold: float = 0.375,
    off_after_tonic_or_fifth: float = 0.75,
    hold_after_tonic_or_fifth: float = 1.5,
    whole_tone: float = 0.4,
    third: float = 0.45,
    third_in_key: float = 0.75,
    fourth: float = 0.35,
    fifth: float = 0.1,
    fifth_in_key: float = 0.5,
    sixth: float = 0.25,
    seventh: float = -1.5,
    beyond_octave: float = -5.0,
) -> Rewards:
    """Small steps and in-key thirds and fifths are preferred, wide leaps and major sevenths are not.

    Each step is judged against the last tone before it; nothing is said before the second tone. In key are a major
    third from the first or third degree and a fifth from the first or fifth, in either direction.
    """
    sizes = np.zeros(_WIDEST + 1)  # what each interval is worth, by its semitones
    sizes[[2, 4, 5, 7, 9, 11]] = whole_tone, third, fourth, fifth, sixth, seventh
    sizes[13:] = beyond_octave

    before = tone_before(line)
    interval = melodic_intervals(line)
    origin = before % 12
    tonic, mediant, dominant = (origin == degree for degree in (context.key.tonic, context.mediant, context.dominant))
    stable = tonic | dominant

    rewards = np.where(interval >= 0, sizes[interval], 0.0)
    rewards[(interval == 4) & (tonic | mediant)] = third_in_key
    rewards[(interval == 7) & stable] = fifth_in_key
    for event, elsewhere, after_stable in (
        (OFF, off, off_after_tonic_or_fifth),
        (HOLD, hold, hold_after_tonic_or_fifth),
    ):
        rewards[line.event == event] = elsewhere
        rewards[(line.event == event) & stable] = after_stable
    rewards[before < 0] = 0.0
    return rewards
