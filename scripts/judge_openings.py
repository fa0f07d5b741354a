"""How well the listener tells a model's openings from people's of the validation part: the table in docs/models.md.

    python scripts/judge_openings.py MODEL [--search N] [--critic FILE] [--form free] [--times N]
    python scripts/judge_openings.py MODEL --sets N [--part test] [--json FILE]
    python scripts/judge_openings.py MODEL --modes N

For each of people's leads in 4/4, 2/2 and 2/4 the model composes melodies of the same meter, mode and number of bars.
With `--sets` the register and the pickup are told, too, as while tuning (`mpo`), and N sets of two melodies for each of
people's are judged by the logistic and the boosted classifier: one set has an AUC that is .02 to .03 too low or too
high; FILE gets what is printed. With `--modes` the model composes N melodies of 16 bars of 4/4 in each of `MODES`
instead, and the shares of those that begin and end on the tonic are printed beside those of people's leads of the test
part.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.data import Split, load_builtin
from cantilena.discriminators import TwoSampleOptions, TwoSampleResult, classifier_two_sample_test
from cantilena.discriminators.two_sample_test import FAST
from cantilena.generation import Composer, load
from cantilena.metrics import distinct_n
from cantilena.models import LEAD, Bars
from cantilena.music import TICKS_PER_QUARTER, Key, Melody
from cantilena.rl import MusicReward, melody_rewards
from cantilena.rl.reward import padded_together
from cantilena.rules import RULE_SETS, Context
from cantilena.runtime import write_json
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows import compose_like, encoded_leads
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
    parser.add_argument("--sets", type=int, default=0, metavar="N", help="judge sets of melodies that are told more")
    parser.add_argument("--part", default="valid", choices=("valid", "test"), help="of people's melodies, for --sets")
    parser.add_argument("--json", type=Path, metavar="FILE", help="of the results of --sets")
    parser.add_argument("--modes", type=int, default=0, metavar="N", help="count begins and ends in modes instead")
    options = vars(parser.parse_args())
    name, times, modes = options.pop("model"), options.pop("times"), options.pop("modes")
    sets, part, file = options.pop("sets"), options.pop("part"), options.pop("json")
    composer = load(name)
    if modes:
        tell_modes(name, composer, modes)
        return
    if sets:
        judged = judge_sets(name, composer, sets, part)
        if file is not None:
            write_json(file, judged)
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


def judge_sets(name: str, composer: Composer, sets: int, part: Split) -> dict[str, Any]:
    """Print mean AUCs over several sets with their standard errors, and how the melodies end; return all of it."""
    encoding, options = composer.encoding, TwoSampleOptions(families=FAST, groups=False, permutations=99, resamples=100)
    assert isinstance(encoding, NotesEncoding)
    known = [one for one in load_builtin("tunes").melodies(part) if one.key is not None and str(one.meter) in METERS]
    pieces = encoded_leads(known, encoding, normalized_key=composer.normalized_key)
    people = [EvalMelody.from_melody(melody, piece=str(row), label="") for row, melody in enumerate(pieces.melodies)]
    aucs: dict[tuple[int, str], list[float]] = defaultdict(list)
    made: list[Melody] = []
    for first in range(2000, 2000 + 2 * sets, 2):
        composed = []
        for seed in (first, first + 1):
            drawn = zip(compose_like(composer, pieces, seed=seed, quiet=True), pieces.melodies, strict=True)
            for row, (tokens, like) in enumerate(drawn):
                melody = replace(encoding.decode(tokens, key=like.key, meter=like.meter), pickup=like.pickup)
                composed.append(EvalMelody.from_melody(melody, piece=str(row), label=""))
                made.append(melody)
        for steps, _, result in openings(people, composed, options):
            for family, one in result.families.items():
                aucs[steps, family].append(one.auc.value)
    judged: dict[str, Any] = {"part": part, "sets": sets, "auc": {}}
    for (steps, family), values in aucs.items():
        error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        judged["auc"].setdefault(str(steps), {})[family] = [round(float(one), 4) for one in (np.mean(values), error)]
        print(f"{name}: {steps} steps, {family}: {np.mean(values):.3f} ± {error:.3f}")
    for key, side, melodies in (("people", "people", pieces.melodies), ("composed", name, made)):
        near, far, strong = _ends(melodies)
        reward, distinct = _rules_and_diversity(melodies, encoding, pieces.sequences.bars)
        judged[key] = {"near": near, "far": far, "strong": strong, "reward": reward, "distinct_4": distinct}
        print(f"{side}: the last note comes by step or repetition {near:.3f}, by a fourth or more {far:.3f}")
        print(f"{side}: it is the tonic, on a strong beat, a quarter or longer {strong:.3f}")
        print(f"{side}: reward of the rules of cantilena {reward:.2f} a melody, distinct-4 {distinct:.3f}")
    return judged


def _rules_and_diversity(melodies: Sequence[Melody], encoding: NotesEncoding, like: Bars) -> tuple[float, float]:
    """The mean reward of the rules a melody, and distinct-4 in sets of as many as there are of people's, `like`."""
    count = len(like.pickup)
    tokens = padded_together([encoding.encode(encoding.fit(melody).melody)[None] for melody in melodies])
    contexts = [Context(key=melody.key or Key(), meter=melody.meter) for melody in melodies]
    reward = MusicReward(encoding, RULE_SETS["cantilena"], Context(), c=1.0, clip=10.0)
    terms = melody_rewards(reward, tokens, like[np.arange(len(tokens)) % count], contexts)
    grid = [EvalMelody.from_melody(melody, piece="", label="").tokens for melody in melodies]
    each = [distinct_n(line_of(grid[first : first + count]), 4) for first in range(0, len(grid), count)]
    return round(float(np.sum([*terms.values()], axis=0).mean()), 3), round(float(np.mean(each)), 4)


def _ends(melodies: Sequence[Melody]) -> tuple[float, float, float]:
    """Shares of last notes that are two semitones or less from the one before, five or more, and a tonic as said."""
    counts = []
    for melody in melodies:
        if len(melody.sounding) < 2:
            continue
        before, last = melody.sounding[-2:]
        bar, moved = melody.meter.ticks_per_bar, abs(last.top - before.top)
        strong = (last.onset - melody.pickup) % bar in (0, bar // 2) and last.duration >= TICKS_PER_QUARTER
        on_tonic = melody.key is not None and (last.top - melody.key.tonic) % 12 == 0
        counts.append((moved <= 2, moved >= 5, strong and on_tonic))
    near, far, strong_tonics = np.mean(counts, axis=0).tolist()
    return near, far, strong_tonics


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
