"""Choose human melodies that are like those of the systems: of the same meters and modes, and from the same place.

Where all systems have melodies with chords, human melodies with chords are taken.

People's melodies in 6/8 differ from people's melodies in 4/4 in a third of all numbers, and beginnings from endings: a
comparison of unlike melodies finds differences that have nothing to do with the systems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cantilena.workflows.evaluate.melody_sets import EXCERPTS_PER_PIECE, EvalMelody, MelodySet

FEWEST_MATCHED = 50
"""With fewer human melodies than this, less is matched: first the place, then the mode, then the meter."""

FARTHEST = 0.1
"""The largest total variation distance between the meters and modes of two sets that counts as matched."""

_RARE = 0.05
"""A meter and mode with a smaller share of the systems' melodies need not be found among people's."""

Stratum = tuple[str, str]
"""A meter, and `major` or `minor` by the third of the mode; "" where it is not matched."""

Matched = tuple[str, ...]
"""What was matched: `meter`, `mode`, `place`, `chords`."""


def strata(melodies: Sequence[EvalMelody], by: Sequence[str] = ("meter", "mode")) -> dict[Stratum, float]:
    """The share of melodies in each meter and mode."""
    found = Counter(_stratum(melody, by) for melody in melodies)
    return {stratum: count / len(melodies) for stratum, count in found.items()}


def distance(one: Mapping[Stratum, float], other: Mapping[Stratum, float]) -> float:
    """The total variation distance of two distributions, 0 to 1.

    Examples:
        >>> distance({("4/4", "major"): 1.0}, {("4/4", "major"): 0.75, ("6/8", "major"): 0.25})
        0.25
    """
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in {*one, *other}) / 2


def matched_melodies(
    melodies: Sequence[EvalMelody],
    systems: Sequence[MelodySet],
    steps: int,
    *,
    most: int,
    rng: np.random.Generator,
) -> tuple[list[EvalMelody], Matched]:
    """Choose human melodies with the meters, the modes and the place of the systems' melodies.

    The place is the beginning of a piece or, where most of the systems' melodies end within `steps`, a whole piece.
    What people have too few melodies for is not matched. If most melodies of every system have chords, human melodies
    without are not taken, unless too few have them.

    Args:
        melodies: whole human melodies, one or more.
        systems: the sets to match, each with the same weight; at least one.
        steps: of each melody that are compared.
        most: the largest number of melodies.
        rng: draws melodies from those that match.

    Returns:
        The melodies, each at most `steps` long, in their order, and what was matched.
    """
    if all(one.has_chords for one in systems):
        over_chords = [melody for melody in melodies if melody.has_chords]
        chosen, by = _matched(over_chords, systems, steps, most, rng)
        if by:
            return chosen, (*by, "chords")
    return _matched(melodies, systems, steps, most, rng)


def _matched(
    melodies: Sequence[EvalMelody], systems: Sequence[MelodySet], steps: int, most: int, rng: np.random.Generator
) -> tuple[list[EvalMelody], Matched]:
    lengths = np.array([len(melody) for one in systems for melody in one.melodies])
    if np.mean(lengths < steps) > 0.5:
        shortest = int(np.quantile(lengths, 0.1))
        at_place = [melody for melody in melodies if shortest <= len(melody) <= steps]
    else:
        at_place = [melody.first(steps) for melody in melodies if len(melody) >= steps]
    anywhere = [part for melody in melodies for part in melody.excerpts(steps, EXCERPTS_PER_PIECE)]
    attempts: list[tuple[Sequence[EvalMelody], Matched]] = [
        (at_place, ("meter", "mode", "place")),
        (anywhere, ("meter", "mode")),
        (at_place, ("meter", "place")),
        (anywhere, ("meter",)),
    ]
    for pool, by in attempts:
        shares = [strata(one.melodies, by) for one in systems]
        wanted = {key: sum(one.get(key, 0.0) for one in shares) / len(shares) for one in shares for key in one}
        chosen = _drawn(pool, wanted, by, most, rng)
        if len(chosen) >= FEWEST_MATCHED:
            return chosen, by
    return _some(anywhere or [melody.first(steps) for melody in melodies], most, rng), ()


def like(people: MelodySet, system: EvalMelody) -> MelodySet:
    """Those of some human excerpts with the meter and the mode of a system's melodies, or all if they are too few."""
    wanted = _stratum(system, ("meter", "mode"))
    chosen = [melody for melody in people.melodies if _stratum(melody, ("meter", "mode")) == wanted]
    return replace(people, melodies=chosen) if len(chosen) >= FEWEST_MATCHED else people


def mismatch(one: MelodySet, reference: MelodySet) -> str:
    """How the meters and modes of a set differ from the reference's, in a clause; "" where they do not."""
    own, others = strata(one.melodies), strata(reference.melodies)
    if distance(own, others) <= FARTHEST:
        return ""
    key = max({*own, *others}, key=lambda key: (abs(own.get(key, 0.0) - others.get(key, 0.0)), key))
    shares = [f"{100 * shares.get(key, 0):.0f} %" for shares in (own, others)]
    return f"{shares[0]} of its melodies are in {key[0]} and {key[1]}, {shares[1]} of people's"


def _stratum(melody: EvalMelody, by: Sequence[str]) -> Stratum:
    mode = "minor" if melody.key.is_minor else "major"
    return str(melody.meter) if "meter" in by else "", mode if "mode" in by else ""


def _drawn(
    pool: Sequence[EvalMelody],
    wanted: Mapping[Stratum, float],
    by: Sequence[str],
    most: int,
    rng: np.random.Generator,
) -> list[EvalMelody]:
    """As many melodies as can be drawn with the wanted shares of meters and modes."""
    rows: dict[Stratum, list[int]] = {}
    for row, melody in enumerate(pool):
        rows.setdefault(_stratum(melody, by), []).append(row)
    common = {key: share for key, share in wanted.items() if share >= _RARE}
    total = min([most, *(len(rows.get(key, ())) / share for key, share in common.items())])
    chosen: list[int] = []
    for key in sorted(wanted):
        found = rows.get(key, [])
        count = min(round(total * wanted[key]), len(found))
        chosen += [found[place] for place in rng.permutation(len(found))[:count]]
    return [pool[row] for row in sorted(chosen)]


def _some(pool: Sequence[EvalMelody], most: int, rng: np.random.Generator) -> list[EvalMelody]:
    return [pool[row] for row in np.sort(rng.permutation(len(pool))[:most])]
