"""A user's own rule: no leaps of a tritone.

cantilena rules explain examples/no_tritones.py:no_tritones
cantilena rules score idea.mid --rules rl-tuner+examples/no_tritones.py:no_tritones
cantilena tune tunes --rules rl-tuner+examples/no_tritones.py:no_tritones --out runs/tuned
"""

import numpy as np

from cantilena import Line
from cantilena.rules import Context, Rewards, tone_before, tones


def no_tritones(line: Line, context: Context, *, penalty: float = -2.0) -> Rewards:
    """A leap of six semitones, up or down, is penalised."""
    before = tone_before(line)  # (melodies, steps): the last pitch that began before each step, -1 for none
    tritone = tones(line) & (before >= 0) & (np.abs(line.pitch - before) == 6)
    return np.where(tritone, penalty, 0.0)
