"""Whether a model of notes obeys the forms that it is told, where nothing but the model decides.

While composing, what a form forbids is not drawn (`generation/form.py`). Here melodies are drawn with the forms told
and nothing forbidden, so that what returns is what the model brings back on its own history.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.generation import ComposeOptions, Composer, sample
from cantilena.metrics import bootstrap_ratio
from cantilena.music import VARIED, Form, Melody, dominant_tones
from cantilena.runtime import generator

MELODIES, BARS = 200, 16
"""Melodies that are drawn, and their bars."""


def measure_obedience(composer: Composer, *, seed: int = 1) -> dict[str, dict[str, float | None]]:
    """How a model obeys forms: shares with 95 % intervals of a bootstrap over melodies.

    Returns:
        `literal_notes`: of the notes to which literal returns go back, those that come at the same place with the same
        pitch; `varied_notes`: the same of varied returns; `varied_returns`: varied returns that keep `VARIED` of the
        notes; `cadences`: melodies that end as the form says.
    """
    plan = composer.plan(range(MELODIES), ComposeOptions(bars=BARS), seed)
    arguments = {**plan.arguments, "guide": None}
    melodies = composer.finish(plan, sample(composer.model, **arguments))
    counts = np.array(
        [_counts(melody, melody.form) for melody in melodies if melody.form is not None], dtype=np.float64
    )
    names = ("literal_notes", "varied_notes", "varied_returns", "cadences")
    shares = {}
    for column, name in enumerate(names):
        counted, out_of = counts[:, 2 * column], counts[:, 2 * column + 1]
        interval = bootstrap_ratio(counted, out_of, None, generator(seed, "obedience", name))
        numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
        shares[name] = {key: None if np.isnan(number) else round(number, 6) for key, number in numbers.items()}
    return shares


def _counts(melody: Melody, form: Form) -> list[float]:
    """Numerator and denominator of each share."""
    counts: NDArray[np.float64] = np.zeros((4, 2))
    for section in form.sections:
        first = next(one for one in form.sections if one.label == section.label)
        if section.kind == "new":
            continue
        source, again = _notes(melody, first.first, first.last), _notes(melody, section.first, section.last)
        kept = len(source & again)
        counts[0 if section.kind == "literal" else 1] += kept, len(source)
        if section.kind == "varied" and source:
            counts[2] += VARIED[0] <= kept / len(source) <= VARIED[1], 1
    if melody.sounding and melody.key is not None and form.cadence is not None:
        above = (melody.sounding[-1].top - melody.key.tonic) % 12
        is_dominant = above in dominant_tones(melody.key)
        counts[3] = {"full": above == 0, "half": is_dominant, "open": above != 0 and not is_dominant}[form.cadence], 1
    return counts.ravel().tolist()


def _notes(melody: Melody, first: int, last: int) -> set[tuple[int, int]]:
    """The notes of some bars of the form, whose bar 1 has the pickup: onset from the first on, and pitch."""
    bar = melody.meter.ticks_per_bar
    start, end = (first - 1) * bar, last * bar
    return {(note.onset - start, note.top) for note in melody.sounding if start <= note.onset < end}
