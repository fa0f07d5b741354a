"""A few bars in which a rule speaks: what it gives is computed, and the bars are chosen by what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cantilena.generation import read_primer
from cantilena.metrics import MelodyRewards, melody_rewards
from cantilena.metrics.per_note import GRID
from cantilena.music import Key, Melody, Meter
from cantilena.reporting.text import plain
from cantilena.rules import Rule, RuleSet
from cantilena.rules.export import place_of


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some bars to try rules on.

    Args:
        title: what happens in them.
        notes: as a person types them.
        shows: the rules that they were written for, as `SET:RULE` between spaces.
        key: of the bars.
        meter: of the bars.
    """

    title: str
    notes: str
    shows: str = ""
    key: str = "C major"
    meter: str = "4/4"

    def melody(self) -> Melody:
        """The bars as a melody."""
        key, meter = Key.parse(self.key), Meter.parse(self.meter)
        return replace(read_primer(self.notes), key=key, meter=meter, title=self.title)


_JOY = "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4"
_OLD_TUNE = f"{_JOY} E4/4. D4/8 D4/2 {_JOY} D4/4. C4/8 C4/2"
_MOTIFS = (
    "C4/4. G4/8 E4/8 F4/8 D4",
    "A4/8 C4 F4/8 B4/8. C5/16 A4",
    "E5 r/8 C4/8 D5/8 F4/8 E4",
    "G4/16 B4/16 D5/8 C4 A4/8 F5/8 E4",
)

PHRASES = (
    Phrase("a note outside the key", "C4 D4 E4 F#4 G4/2 C4/2", "paper:key rl-tuner:key cantilena:key"),
    Phrase("it begins and ends with the tonic", "C4 E4 D4 C4", "paper:tonic rl-tuner:tonic cantilena:opening"),
    Phrase(
        "down to the tonic by step",
        "E4/8 F4/8 D4 C4/2",
        "cantilena:cadence cantilena:climax rl-tuner:extremes rl-tuner:autocorrelation",
    ),
    Phrase("a leap, and back to where it began", "C4 A4 G4/8 E4/8 C4"),
    Phrase(
        "two leaps up, and the way back",
        "C4 G4 E5 C5/8 G4/8 E4/8 C4/8 C4/2.",
        "rl-tuner:leap cantilena:leap_recovery",
    ),
    Phrase("steps, a third and sevenths", "C4 E4/8 D4/8 C4/8 B4/8 C4", "rl-tuner:intervals"),
    Phrase("a leap that nothing answers", "C4 E4 B4 C5 D5 E5 F5/2"),
    Phrase("one note, again and again", "G4/8 G4/8 G4/8 G4/8 G4/8 G4/8 G4/8 G4/8", "cantilena:repetition"),
    Phrase(
        "one note in sixteenths",
        "C4 E4/16 E4/16 E4/16 E4/16 E4/16 E4/16 E4/16 E4/16 D4",
        "paper:repetition rl-tuner:repetition",
    ),
    Phrase(
        "a motif, and its return",
        "C4/8 D4/8 E4/8 G4/8 C4/8 D4/8 E4/8 G4/8",
        "rl-tuner:motif rl-tuner:repeated_motif",
    ),
    Phrase("a melody that holds and rests", "C4 E4/2 r/4 G4/2 r/2"),
    Phrase("a leading tone that does not lead", "A4 G#4 F4 E4 A4/1", key="A minor"),
    Phrase("a waltz", "C4 E4 E4 D4 F4 F4 B3 D4 D4 C4/2.", meter="3/4"),
    Phrase(
        "notes across the beats",
        "C4/8 E4 G4 E4 G4 E4 G4 E4 C4/8 C4/1",
        "cantilena:meter cantilena:syncopation",
    ),
    Phrase("a long silence", "C4 r/2. r/1 r/1 E4 r/2.", "cantilena:rests"),
    Phrase("whole notes", "C4/1 E4/1 D4/1 C4/1", "cantilena:density"),
    Phrase("a run of sixteenths", " ".join(["C4/16 D4/16 E4/16 F4/16 G4/16 F4/16 E4/16 D4/16"] * 8)),
    Phrase("the scale in quarters", "C4 D4 E4 F4 G4 A4 B4 C5 B4 A4 G4 F4 E4 D4 C4/2", "cantilena:rhythm"),
    Phrase(
        "over three octaves",
        "C3 G3 E4 C5 G5 E6 C6 G5 E5 C5 G4 E4 C4 G3 E3 C3",
        "cantilena:range cantilena:motion",
    ),
    Phrase(
        "four motifs, each twice",
        " ".join(f"{motif} {motif}" for motif in _MOTIFS),
        "cantilena:motif_return cantilena:motif cantilena:motif_variety",
    ),
    Phrase("eight bars of one figure", " ".join(["C4 E4 G4 E4"] * 8), "cantilena:phrase_2 cantilena:phrase_4"),
    Phrase("an old tune", _OLD_TUNE),
    Phrase("an old tune, twice", f"{_OLD_TUNE} {_OLD_TUNE}", "cantilena:phrase_8 cantilena:breathing"),
)
"""Shorter ones come first."""


@dataclass(frozen=True)
class RuleExample:
    """Bars in which a rule speaks.

    Args:
        title: what happens in them.
        judged: the bars, and what the rule gives.
    """

    title: str
    judged: MelodyRewards

    @property
    def tokens(self) -> list[str]:
        """The steps by name: `C4`, `hold`, `off`."""
        return [GRID.vocabulary[token] for token in GRID.encode(self.judged.melody)]

    def lines(self) -> list[str]:
        """The steps of each bar above what the rule gives there, for a terminal; bars between are left out."""
        (values,) = self.judged.rewards.values()
        cells = [{"hold": "-", "off": "r"}.get(name, name) for name in self.tokens]
        given = [plain(value) if value else "" for value in values.tolist()]
        width = 1 + max(map(len, (*cells, *given)))
        bar, lines = self.judged.context.steps_per_bar, []
        for start in range(0, len(cells), bar):
            notes, gives = cells[start : start + bar], given[start : start + bar]
            if start < 2 * bar or any(gives):
                lines.append("notes  " + "".join(cell.ljust(width) for cell in notes).rstrip())
            elif lines[-1] != "...":
                lines.append("...")
            if any(gives):
                lines.append("gives  " + "".join(cell.ljust(width) for cell in gives).rstrip())
        return lines


def example_of(rule: Rule) -> RuleExample | None:
    r"""Bars in which a rule speaks: those that were written for it, else those in which it has most to say.

    Most to say are many different numbers, rewards beside penalties, in few bars.

    Args:
        rule: any rule, a user's own too.

    Returns:
        The bars and what the rule gives; None if it is silent in all.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> example = example_of(RULE_SETS["rl-tuner"]["repeated_motif"])
        >>> example.title
        'a motif, and its return'
        >>> print("\n".join(example.lines()))
        notes  C4 -  D4 -  E4 -  G4 -  C4 -  D4 -  E4 -  G4 -
        gives                                               +5
    """
    place, rules = place_of(rule), RuleSet(rule.name, (rule,))
    made_for_it = [phrase for phrase in PHRASES if place and place in phrase.shows.split()]
    best, most = None, 0.0
    for phrase in (*made_for_it, *PHRASES):
        melody = phrase.melody()
        judged = melody_rewards(melody, rules)
        spoken = np.unique(judged.rewards[rule.name])
        spoken = spoken[spoken != 0]
        if not len(spoken):
            continue
        example = RuleExample(phrase.title, judged)
        if phrase in made_for_it:
            return example
        bothways = spoken[0] < 0 < spoken[-1]
        worth = 10 + min(len(spoken), 3) + bothways - melody.bars
        if best is None or worth > most:
            best, most = example, worth
    return best
