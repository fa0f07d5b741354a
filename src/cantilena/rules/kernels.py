"""The loops behind the rules, compiled by numba on first use.

Only loops that numpy expresses badly are here. `codes` are those of `notes.codes`: 0 off, 1 hold, 2 + pitch. Loops over
notes take those of all melodies, of melody m `bounds[m]` to `bounds[m + 1] - 1`; `gap` is the time to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int64]


@compiled
def equal_events(
    codes: NDArray[np.int16], length: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Walk back from each step over equal events, offs and holds, up to another pitch.

    Returns:
        The number of equal events, at most `most`; and whether an off or hold of another kind was passed.
    """
    equal = np.zeros(codes.shape, np.int16)
    passed = np.zeros(codes.shape, np.bool_)
    for melody in range(codes.shape[0]):
        for step in range(length[melody]):
            for back in range(step - 1, -1, -1):
                if codes[melody, back] == codes[melody, step]:
                    equal[melody, step] += 1
                    if equal[melody, step] == most:
                        break
                elif codes[melody, back] < 2:
                    passed[melody, step] = True
                else:
                    break
    return equal, passed


@compiled
def leap_outcomes(codes: NDArray[np.int16], length: NDArray[np.int64], leap: int, patience: int) -> NDArray[np.int8]:
    """What each step does to the pending leap: 1 resolves it, -1 doubles it, 0 neither."""
    outcome = np.zeros(codes.shape, np.int8)
    for melody in range(codes.shape[0]):
        before = -1  # the previous tone, -1 for none
        direction = 0  # of the pending leap: 1 up, -1 down, 0 none
        origin = 0  # the tone it started from
        since = 0  # steps since the last leap
        for step in range(length[melody]):
            tone = codes[melody, step]
            if tone < 2:
                since += 1
                continue
            if before >= 0 and abs(tone - before) >= leap:
                towards = 1 if tone > before else -1
                if direction == 0:
                    direction, origin = towards, before
                elif direction == towards:
                    outcome[melody, step] = -1
                else:
                    outcome[melody, step] = 1 if since > patience else 0
                    direction = 0
                since = 0
            else:
                since += 1
                if direction * (tone - origin) <= 0 and direction != 0:
                    outcome[melody, step] = 1
                    direction = 0
            before = tone
    return outcome


@compiled
def autocorrelations(
    values: NDArray[np.float64], first: NDArray[np.int64], length: NDArray[np.int64], lags: int
) -> NDArray[np.float64]:
    """The autocorrelation of each melody up to each step from `first` on, `(lags, melodies, steps)`; NaN elsewhere.

    Sums run in numpy's order (eight partial sums), so that values at the threshold of a rule fall on the same side as
    in the reference implementation.
    """
    melodies, steps = values.shape
    rho = np.full((lags, melodies, steps), np.nan)
    centred = np.empty(steps)
    for melody in range(melodies):
        total = 0.0
        for step in range(length[melody]):
            total += values[melody, step]
            if step < first[melody]:
                continue
            n = step + 1
            mean = total / n
            for place in range(n):
                centred[place] = values[melody, place] - mean
            variance = _lagged_sum(centred, n, 0) / n
            if variance > 0:
                for lag in range(1, lags + 1):
                    rho[lag - 1, melody, step] = _lagged_sum(centred, n, lag) / n / variance
    return rho


@compiled
def _lagged_sum(x: NDArray[np.float64], n: int, lag: int) -> float:
    """The sum of x[t] x[t + lag] over the first n entries, in the order in which numpy sums up to 128 numbers."""
    terms = max(n - lag, 0)
    eights = terms - terms % 8
    a = b = c = d = e = f = g = h = 0.0
    for t in range(0, eights, 8):
        a += x[t] * x[t + lag]
        b += x[t + 1] * x[t + 1 + lag]
        c += x[t + 2] * x[t + 2 + lag]
        d += x[t + 3] * x[t + 3 + lag]
        e += x[t + 4] * x[t + 4 + lag]
        f += x[t + 5] * x[t + 5 + lag]
        g += x[t + 6] * x[t + 6 + lag]
        h += x[t + 7] * x[t + 7 + lag]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for t in range(eights, terms):
        total += x[t] * x[t + lag]
    return total


@compiled
def distinct_tones(codes: NDArray[np.int16], length: NDArray[np.int64], window: int) -> NDArray[np.int16]:
    """The number of distinct tones in the last `window` events at each step; 0 before there are so many."""
    distinct = np.zeros(codes.shape, np.int16)
    for melody in range(codes.shape[0]):
        row = codes[melody]
        count = np.zeros(130, np.int64)  # of each code in the window
        tones = 0
        for step in range(length[melody]):
            if row[step] >= 2:
                count[row[step]] += 1
                tones += count[row[step]] == 1
            if step >= window and row[step - window] >= 2:
                count[row[step - window]] -= 1
                tones -= count[row[step - window]] == 0
            if step >= window - 1:
                distinct[melody, step] = tones
    return distinct


@compiled
def returning_windows(
    codes: NDArray[np.int16], length: NDArray[np.int64], where: NDArray[np.bool_], window: int
) -> NDArray[np.bool_]:
    """Whether the last `window` events repeat earlier ones that do not overlap them; computed at the steps `where`."""
    returns = np.zeros(codes.shape, np.bool_)
    for melody in range(codes.shape[0]):
        row = codes[melody]
        for step in range(2 * window - 1, length[melody]):
            if not where[melody, step]:
                continue
            start = step - window + 1
            for other in range(start - window + 1):
                same = 0
                while same < window and row[other + same] == row[start + same]:
                    same += 1
                if same == window:
                    returns[melody, step] = True
                    break
    return returns


@compiled
def collect_notes(event: NDArray[np.int8], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """The notes of all melodies in order, `(4, notes)`: melody, step, steps sounding, steps to the next."""
    total = 0
    for melody in range(event.shape[0]):
        for step in range(length[melody]):
            total += event[melody, step] == 2
    notes = np.empty((4, total), np.int64)
    note = -1
    for melody in range(event.shape[0]):
        first, sounds = note + 1, False
        for step in range(length[melody]):
            if event[melody, step] == 1:
                continue
            if sounds:
                notes[2, note] = step - notes[1, note]
            sounds = event[melody, step] == 2
            if sounds:
                if note >= first:
                    notes[3, note] = step - notes[1, note]
                note += 1
                notes[0, note], notes[1, note] = melody, step
        if sounds:
            notes[2, note] = length[melody] - notes[1, note]
        if note >= first:
            notes[3, note] = length[melody] - notes[1, note]
    return notes


@compiled
def matching_notes(pitch: Numbers, degree: Numbers, gap: Numbers, one: int, other: int, most: int) -> int:
    """The number of notes up to `one` that match those up to `other`, at most `most`; there must be so many.

    They match while all intervals are equal, either in semitones or in scale steps, and all times from note to note
    have the same ratio.
    """
    exact = within_scale = True
    notes = 1
    while notes < most:
        a, b = one - notes, other - notes
        exact &= pitch[a + 1] - pitch[a] == pitch[b + 1] - pitch[b]
        within_scale &= degree[a + 1] - degree[a] == degree[b + 1] - degree[b]
        if not (exact or within_scale) or gap[a] * gap[other - 1] != gap[b] * gap[one - 1]:
            break
        notes += 1
    return notes


@compiled
def find_returns(
    pitch: Numbers, degree: Numbers, gap: Numbers, rare: NDArray[np.bool_], bounds: Numbers, least: int, most: int
) -> tuple[Numbers, Numbers]:
    """Find the longest motif of `least` to `most` notes that ends at each note and occurred before without overlap.

    `rare` `(most + 1, notes)` is whether the last k notes could be a motif.

    Returns:
        Its number of notes, 0 for none; and the note at which it first ended, -1 for none. Both `(notes,)`.
    """
    promising = np.zeros(len(pitch), np.bool_)
    for notes in range(least, most + 1):
        promising |= rare[notes]
    moved, climbed = np.zeros(len(pitch), np.int64), np.zeros(len(pitch), np.int64)
    moved[1:], climbed[1:] = pitch[1:] - pitch[:-1], degree[1:] - degree[:-1]
    size = np.zeros(len(pitch), np.int64)
    origin = np.full(len(pitch), -1, np.int64)
    for melody in range(len(bounds) - 1):
        first = bounds[melody]
        for note in range(first + 2 * least - 1, bounds[melody + 1]):
            if not promising[note]:
                continue
            for before in range(first + least - 1, note - least + 1):
                # Fast path: most places already differ in the last interval.
                if moved[before] != moved[note] and climbed[before] != climbed[note]:
                    continue
                limit = min(most, note - before, before - first + 1)
                if limit <= size[note] or gap[before - 1] * gap[note - 2] != gap[before - 2] * gap[note - 1]:
                    continue
                notes = matching_notes(pitch, degree, gap, before, note, limit)
                while notes > size[note] and notes >= least:
                    if rare[notes, note]:
                        size[note], origin[note] = notes, before
                        break
                    notes -= 1
    return size, origin


@compiled
def count_returns(
    pitch: Numbers, degree: Numbers, gap: Numbers, size: Numbers, origin: Numbers, bounds: Numbers, most: int
) -> tuple[NDArray[np.bool_], Numbers]:
    """Which notes belong to a motif that returns, `(notes,)`, and the number of different motifs, `(melodies,)`.

    Counts returns that do not grow with the next note and share no note with the one counted before. Two are different
    if their numbers of notes differ or their notes do not match.
    """
    covered = np.zeros(len(pitch), np.bool_)
    different = np.zeros(len(bounds) - 1, np.int64)
    counted = np.empty(len(pitch), np.int64)  # the last notes of the different motifs of a melody
    for melody in range(len(bounds) - 1):
        busy = -1
        for note in range(bounds[melody], bounds[melody + 1]):
            notes = size[note]
            if notes == 0:
                continue
            covered[note - notes + 1 : note + 1] = True
            covered[origin[note] - notes + 1 : origin[note] + 1] = True
            grows = notes < most and note + 1 < bounds[melody + 1] and size[note + 1] == notes + 1
            if grows or note - notes + 1 <= busy:
                continue
            busy = note
            known = False
            for place in range(different[melody]):
                other = counted[place]
                if size[other] == notes and matching_notes(pitch, degree, gap, other, note, notes) == notes:
                    known = True
                    break
            if not known:
                counted[different[melody]] = note
                different[melody] += 1
    return covered, different
