"""How well the listener tells a model's openings from people's of the validation part: the table in docs/models.md.

    python scripts/judge_openings.py MODEL [--search N] [--critic FILE] [--form free] [--times N]
    python scripts/judge_openings.py MODEL --modes N

For each of people's leads in 4/4, 2/2 and 2/4 the model composes melodies of the same meter, mode and number of bars.
With `--modes` it composes N melodies of 16 bars of 4/4 in each of `MODES` instead, and the shares of those that begin
and end on the tonic are printed beside those of people's leads of the test part.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.data import load_builtin
from cantilena.discriminators import TwoSampleOptions, TwoSampleResult, classifier_two_sample_test
from cantilena.generation import Composer, load
from cantilena.models import LEAD
from cantilena.music import Key, Melody
from cantilena.workflows.data import role_of
from cantilena.workflows.evaluate.melody_sets import EvalMelody, line_of

METERS = ("4/4", "2/2", "2/4")
"""Meters whose bars are sixteen sixteenths long, or half as long."""
STEPS = (128, 240)
"""Lengths of openings: eight bars of 4/4, and fifteen, since pieces of sixteen with a pickup are shorter."""
MOST_BARS = 40
MODES = ("C major", "A minor", "D dorian", "G mixolydian")

Tune = tuple[Melody, str]
"""A melody and its piece."""


def main() -> None:
    """Compose, and print what the listener says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a bundle")
    parser.add_argument("--search", type=int, default=1, help="candidates for each melody")
    parser.add_argument("--critic", type=Path, help="a critic")
    parser.add_argument("--form", default="auto", help="auto or free")
    parser.add_argument("--times", type=int, default=3, help="melodies for each of people's")
    parser.add_argument("--modes", type=int, default=0, metavar="N", help="count begins and ends in modes instead")
    options = vars(parser.parse_args())
    name, times, modes = options.pop("model"), options.pop("times"), options.pop("modes")
    composer = load(name)
    if modes:
        tell_modes(name, composer, modes)
        return
    groups = leads(composer)
    people = [tune for group in groups.values() for tune in group]
    made = compose_for(composer, groups, times, options)
    print(f"{name} {options}: {len(made)} melodies for {len(people)} of people's")
    print(f"last note on the tonic: {_on_tonic([melody for melody, _ in people])}, people; {_on_tonic(made)}, composed")
    human = [EvalMelody.from_melody(melody, piece=piece, label=piece) for melody, piece in people]
    composed = [EvalMelody.from_melody(melody, piece=str(row), label="") for row, melody in enumerate(made)]
    for steps, count, result in openings(human, composed, TwoSampleOptions()):
        aucs = {family: round(one.auc.value, 3) for family, one in result.families.items()}
        groups_auc = {one.group: round(one.auc.value, 2) for one in result.groups}
        print(f"{steps} steps, {count} of people's: {aucs} {groups_auc} {result.refused}".rstrip())


def openings(
    people: Sequence[EvalMelody], composed: Sequence[EvalMelody], options: TwoSampleOptions
) -> Iterator[tuple[int, int, TwoSampleResult]]:
    """For each length its steps, how many openings of people's there are, and what the listener says of them."""
    for steps in STEPS:
        ours, theirs = ([one.first(steps) for one in side if len(one) >= steps] for side in (people, composed))
        pieces = np.array([one.piece for one in ours])
        lines = [line_of(one.tokens for one in side) for side in (ours, theirs)]
        yield steps, len(ours), classifier_two_sample_test(lines[0], pieces, lines[1], options, quiet=True)


def tell_modes(name: str, composer: Composer, count: int) -> None:
    """Print how often melodies in each mode begin and end on the tonic: people's, and so many composed ones."""
    for text in MODES:
        key = Key.parse(text)
        people = [
            melody
            for melody in load_builtin("tunes").melodies("test")
            if melody.key is not None and melody.key.mode == key.mode and role_of(melody) == LEAD
        ]
        made = composer.compose_many(count, bars=16, meter="4/4", key=key, seed=900)
        for side, melodies in (("people", people), (name, made)):
            print(f"{text}, {side}, {len(melodies)}: begin {_on_tonic(melodies, 0)}, end {_on_tonic(melodies)}")


def leads(composer: Composer) -> dict[tuple[str, str, int], list[Tune]]:
    """People's leads by meter, mode and number of bars, of the modes that the model knows."""
    part, modes = load_builtin("tunes").split("valid"), composer.modes or ("major", "minor")
    groups: dict[tuple[str, str, int], list[Tune]] = defaultdict(list)
    for melody, piece in zip(part.melodies(), part.column("piece"), strict=True):
        bars = -(-melody.length // melody.meter.ticks_per_bar)
        is_known = melody.key is not None and melody.key.mode in modes
        if is_known and role_of(melody) == LEAD and str(melody.meter) in METERS and bars <= MOST_BARS:
            groups[str(melody.meter), melody.key.mode if melody.key else "", bars].append((melody, piece))
    return dict(sorted(groups.items()))


def compose_for(
    composer: Composer, groups: dict[tuple[str, str, int], list[Tune]], times: int, options: dict[str, Any]
) -> list[Melody]:
    """So many melodies for each of people's."""
    made: list[Melody] = []
    for number, ((meter, mode, bars), tunes) in enumerate(groups.items()):
        key = Key.parse("A minor") if mode == "minor" else Key(0, mode)  # type: ignore[arg-type]
        count = times * len(tunes)
        made += composer.compose_many(count, bars=bars, meter=meter, key=key, seed=500 + number, **options)
    return made


def _on_tonic(melodies: Sequence[Melody], which: int = -1) -> float:
    ends = [(one.sounding[which].top - one.key.tonic) % 12 == 0 for one in melodies if one.key and one.sounding]
    return round(float(np.mean(ends)), 2)


if __name__ == "__main__":
    main()
