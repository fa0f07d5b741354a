"""What a report is made of: plain data, handed over by whoever ran the experiment.

What an evaluation found out, as a report tells it: verdicts, differences, distributions, copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import SelfSimilarity
from cantilena.music import Melody

Tone = Literal["good", "bad", "note"]
"""Whether a verdict is welcome, a warning, or only to be known."""

SIGNIFICANCE_LEVEL = 0.05
"""A difference is told where its corrected p-value is not above this."""


@dataclass(frozen=True)
class Remark:
    """One sentence about a system that follows from its numbers.

    Args:
        system: whose; two names for a pair.
        text: the sentence.
        tone: whether it is welcome.
    """

    system: str
    text: str
    tone: Tone = "note"


class DifferenceTested(Protocol):
    """A difference between two systems and how sure it is, as `comparison` finds it."""

    @property
    def first(self) -> str:
        """The system that is held beside the other."""

    @property
    def second(self) -> str:
        """The other system."""

    @property
    def metric(self) -> str:
        """In which number they differ."""

    @property
    def value(self) -> float | None:
        """By how much: the second system's number less the first's."""

    @property
    def p(self) -> float | None:
        """How often labels drawn at random differ as much; None where they cannot tell."""

    @property
    def adjusted(self) -> float | None:
        """The same after Holm's correction for all numbers of the pair; None where it was not tested."""


@dataclass(frozen=True)
class Distribution:
    """How a feature of melodies is spread, in people's and in each system's.

    Args:
        metric: a word for it, unique in a report.
        label: what it is called: "Range".
        unit: in what it is counted: "semitones"; "" for shares.
        values: by system, `(melodies,)`; NaN where a melody has none.
    """

    metric: str
    label: str
    unit: str
    values: Mapping[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class CopiedPassage:
    """The longest run of notes of a melody that the corpus has too.

    Args:
        system: whose melody.
        label: of the melody: its number, file or title.
        notes: how many notes are the same, transposed or not.
        bars: of the melody: `5-8`.
        source_title: of the piece that has them, "" where it has no title.
        source_file: where the piece is from.
        source_bars: of the piece.
        excerpt: those bars of the melody.
        source_excerpt: those bars of the piece.
        more_than_people: whether people's own melodies seldom borrow so much.
        melody: its number, from 0, among the melodies that the report lets one hear; None if it is not one of them.
        first: which note of the excerpt is the first that is copied, from 0.
        source_first: which of the piece's.
    """

    system: str
    label: str
    notes: int
    bars: str
    source_title: str
    source_file: str
    source_bars: str
    excerpt: Melody
    source_excerpt: Melody
    more_than_people: bool
    melody: int | None = None
    first: int = 0
    source_first: int = 0

    @property
    def source(self) -> str:
        """The piece as it is called: its title and its file.

        Example:
            >>> CopiedPassage("lstm", "001", 9, "1-2", "The Hag", "a.abc", "5-6", Melody(()), Melody(()), False).source
            '“The Hag” (a.abc)'
        """
        return f"“{self.source_title}” ({self.source_file})" if self.source_title else self.source_file


HUMAN = "human"
"""The name of people's melodies in every table."""

Results = Mapping[str, Any]
"""The object of results.json: `{"systems": {NAME: {"melodies": n, "metrics": {METRIC: {"value", "low", "high"}}}}}`.

A value may be None, with a `reason` beside it.
"""


@dataclass(frozen=True)
class SystemMelodies:
    """The melodies of one system, to hear and to see.

    Args:
        name: as in the results: `human`, `lstm`, `lstm+rl`, ..
        description: what the system is, a sentence.
        melodies: in the order of their files.
        folder: where the files lie, relative to the report: `melodies/lstm`; they are named 001.mid, 001.wav, ..
    """

    name: str
    description: str
    melodies: Sequence[Melody]
    folder: str

    def stem(self, index: int) -> str:
        """A melody's file without its suffix, relative to the report.

        Example:
            >>> SystemMelodies("lstm", "", [], "melodies/lstm").stem(0)
            'melodies/lstm/001'
        """
        digits = max(3, len(str(len(self.melodies))))
        return f"{self.folder.rstrip('/')}/{index + 1:0{digits}}"


@dataclass(frozen=True)
class TrainingCurve:
    """How a network learned.

    Args:
        name: whose curve.
        train: nats a step on what it learned from, one number an epoch.
        valid: nats a step on held-out pieces, one number an epoch.
    """

    name: str
    train: Sequence[float]
    valid: Sequence[float]


@dataclass(frozen=True)
class RewardHistory:
    """What tuning was rewarded with, update by update: the paper's figure 10, split by rule.

    Args:
        name: whose tuning.
        steps: environment steps done, ascending.
        terms: mean reward a melody by rule, each as long as `steps`.
        log_p: mean log-likelihood under the prior, nats a step.
        kl: mean KL divergence from the prior, nats a step.
        accuracy: of the discriminators of a critic, on melodies new to them; empty without one.
    """

    name: str
    steps: Sequence[int]
    terms: Mapping[str, Sequence[float]]
    log_p: Sequence[float] = ()
    kl: Sequence[float] = ()
    accuracy: Sequence[float] = ()

    @property
    def total(self) -> NDArray[np.float64]:
        """The sum of the rules' rewards, `(updates,)`."""
        return np.asarray(np.sum([np.asarray(term) for term in self.terms.values()], axis=0), dtype=np.float64)


@dataclass(frozen=True)
class NoteProbabilities:
    """What a model thought at each step of one melody: the paper's figures 8 and 9.

    Args:
        name: whose probabilities.
        probabilities: `(steps, classes)`, rows that sum to 1.
        classes: the tokens' names, in the order of the columns.
        tokens: `(steps,)`, the token that was taken at each step.
    """

    name: str
    probabilities: NDArray[np.floating[Any]]
    classes: Sequence[str]
    tokens: Sequence[int]


@dataclass(frozen=True)
class ReportData:
    """Everything that a report tells.

    Args:
        results: what was measured.
        melodies: what can be heard, in the order in which it shall be shown.
        curves: how the networks learned.
        rewards: how tuning went.
        probabilities: note probabilities of the LSTM and the tuned model.
        corpus: facts of the corpus, as many as are known of those that `cantilena corpus read --json` answers.
        options: what the run was asked; nested options as nested mappings.
        seeds: seeds by their use.
        versions: versions by library.
        timings: seconds by stage.
        intervals: how the intervals were made, a sentence.
        tuned: pairs of systems, the untuned and the tuned one, the main pair first.
        title: what the report is called.
        published: whether what others published stands beside this run's numbers.
        verdicts: what follows from the numbers, in sentences.
        differences: pairs of systems, number by number, tested and corrected.
        distributions: features of melodies, to be drawn over one another.
        similarity: how the melodies of each system are like themselves.
        copies: what melodies have in common with the corpus.
        listener: by system, what the machine listener answered (`listener_rows`).
        method: how the numbers were made, paragraphs.
        hashes: sha256 by what it is of: corpus, bundles, folders.
    """

    results: Results
    melodies: Sequence[SystemMelodies] = ()
    curves: Sequence[TrainingCurve] = ()
    rewards: Sequence[RewardHistory] = ()
    probabilities: Sequence[NoteProbabilities] = ()
    corpus: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    intervals: str = (
        "Intervals are 95 %. Numbers counted per melody: bootstrap by piece, 1,000 times. Numbers of a whole set "
        "(different melodies, distinct-4): half the melodies drawn without replacement, 200 times, because drawing "
        "with replacement would itself make duplicates."
    )
    tuned: Sequence[tuple[str, str]] = (("lstm", "lstm+rl"), ("lstm-events", "lstm-events+rl"))
    title: str = "Melodies by the LSTM and by the LSTM tuned with reinforcement learning"
    published: bool = True
    verdicts: Sequence[Remark] = ()
    differences: Sequence[DifferenceTested] = ()
    distributions: Sequence[Distribution] = ()
    similarity: Sequence[SelfSimilarity] = ()
    copies: Sequence[CopiedPassage] = ()
    listener: Mapping[str, Any] = field(default_factory=dict)
    method: Sequence[str] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def systems(self) -> Mapping[str, Any]:
        """The systems of the results, by name, people first."""
        systems = self.results.get("systems", {})
        return people_first(systems) if isinstance(systems, Mapping) else {}


def people_first(systems: Mapping[str, Any]) -> dict[str, Any]:
    """The same with people's entry at the beginning, where there is one.

    Example:
        >>> list(people_first({"lstm": 1, "human": 2}))
        ['human', 'lstm']
    """
    return {name: systems[name] for name in sorted(systems, key=lambda name: name != HUMAN)}
