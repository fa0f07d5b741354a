"""The contents of a report, as plain data from the workflow that ran the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import Difference, Interval, SelfSimilarity
from cantilena.music import Melody

HUMAN = "human"
"""The name of the set of human melodies."""

SIGNIFICANCE_LEVEL = 0.05
"""A difference is reported if its corrected p-value is at most this."""

Results = Mapping[str, Any]
"""The object of results.json: `{"systems": {NAME: {"melodies": n, "metrics": {METRIC: {"value", "low", "high"}}}}}`.

A value may be None, with a `reason` beside it.
"""

Tone = Literal["good", "bad", "note"]
"""Whether a verdict is good, a warning, or neutral."""


@dataclass(frozen=True)
class Remark:
    """A verdict: one sentence that follows from the numbers of a system.

    Args:
        system: its name; two names for a pair.
        text: the sentence.
        tone: whether it is good.
    """

    system: str
    text: str
    tone: Tone = "note"


@dataclass(frozen=True)
class Distribution:
    """The distribution of a feature over melodies, for the reference and each system.

    Args:
        metric: a name that is unique in a report.
        label: as shown: "Range".
        unit: "semitones"; "" for shares.
        values: by system, `(melodies,)`; NaN where it is undefined.
    """

    metric: str
    label: str
    unit: str
    values: Mapping[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class CopiedPassage:
    """The longest run of notes that a melody has in common with the corpus.

    Args:
        system: of the melody.
        label: of the melody: its number, file or title.
        notes: the number of common notes, transposed or not.
        bars: of the melody: `5-8`.
        source_title: of the piece that has them, "" where it has none.
        source_file: where the piece is from.
        source_bars: of the piece.
        excerpt: those bars of the melody.
        source_excerpt: those bars of the piece.
        exceeds_human: whether human melodies seldom have so long a copy.
        melody: its index among the system's melodies in the report; None if it is not one of them.
        first: the index of the first common note in the excerpt.
        source_first: its index in the piece's excerpt.
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
    exceeds_human: bool
    melody: int | None = None
    first: int = 0
    source_first: int = 0

    @property
    def source(self) -> str:
        """The title and the file of the piece.

        Examples:
            >>> CopiedPassage("lstm", "001", 9, "1-2", "The Hag", "a.abc", "5-6", Melody(()), Melody(()), False).source
            '“The Hag” (a.abc)'
        """
        return f"“{self.source_title}” ({self.source_file})" if self.source_title else self.source_file


@dataclass(frozen=True)
class SystemMelodies:
    """The melodies of one system to listen to.

    Args:
        name: as in the results: `human`, `lstm`, `lstm+rl`, ..
        description: of the system, a sentence.
        melodies: in the order of their files.
        folder: of the files, relative to the report: `melodies/lstm`; they are named 001.mid, 001.wav, ..
    """

    name: str
    description: str
    melodies: Sequence[Melody]
    folder: str

    def stem(self, index: int) -> str:
        """The file of a melody without its suffix, relative to the report.

        Examples:
            >>> SystemMelodies("lstm", "", [], "melodies/lstm").stem(0)
            'melodies/lstm/001'
        """
        digits = max(3, len(str(len(self.melodies))))
        return f"{self.folder.rstrip('/')}/{index + 1:0{digits}}"


@dataclass(frozen=True)
class TrainingCurve:
    """The loss of a network by epoch, nats a step.

    Args:
        name: of the network.
        train: on the training pieces.
        valid: on held-out pieces.
    """

    name: str
    train: Sequence[float]
    valid: Sequence[float]


@dataclass(frozen=True)
class RewardHistory:
    """The rewards of a tuning by update: the paper's figure 10, split by rule.

    Args:
        name: of the tuned system.
        steps: environment steps, ascending.
        terms: mean reward a melody by rule, each as long as `steps`.
        log_p: mean log-likelihood under the prior, nats a step.
        kl: mean KL divergence from the prior, nats a step.
        accuracy: of the discriminators of a critic on new melodies; empty without one.
    """

    name: str
    steps: Sequence[int]
    terms: Mapping[str, Sequence[float]]
    log_p: Sequence[float] = ()
    kl: Sequence[float] = ()
    accuracy: Sequence[float] = ()

    @property
    def total(self) -> NDArray[np.float64]:
        """The sum over the rules, `(updates,)`."""
        return np.asarray(np.sum([np.asarray(term) for term in self.terms.values()], axis=0), dtype=np.float64)


@dataclass(frozen=True)
class NoteProbabilities:
    """The predictions of a model at each step of one melody: the paper's figures 8 and 9.

    Args:
        name: of the model.
        probabilities: `(steps, classes)`, rows that sum to 1.
        classes: the names of the tokens, in the order of the columns.
        tokens: `(steps,)`, the token that was taken at each step.
    """

    name: str
    probabilities: NDArray[np.floating[Any]]
    classes: Sequence[str]
    tokens: Sequence[int]


@dataclass(frozen=True)
class ReportData:
    """The contents of a report.

    Args:
        results: the metrics.
        melodies: to listen to, in the order of the report.
        curves: of the training.
        rewards: of the tuning.
        probabilities: of the LSTM and the tuned model.
        corpus: any of the facts in the answer of `cantilena corpus read --json`.
        options: of the run; nested options as nested mappings.
        seeds: by their use.
        versions: by library.
        timings: seconds by stage.
        intervals: how the intervals were computed, a sentence.
        tuned: pairs of systems, the untuned and the tuned one, the main pair first.
        title: of the report.
        published: whether to show the published results beside those of the run.
        verdicts: conclusions, in sentences.
        differences: of pairs of systems, tested and corrected.
        distributions: of features of melodies.
        similarity: self-similarity of the melodies of each system.
        copies: what melodies have in common with the corpus.
        two_sample: by system, the answer of the classifier two-sample test (`sections.two_sample_rows`).
        method: how the metrics were computed, paragraphs.
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
        "Intervals are 95 %. Metrics counted per melody: bootstrap by piece, 1,000 resamples. Metrics of a whole set "
        "(different melodies, distinct-4): half the melodies drawn without replacement, 200 times, because drawing "
        "with replacement would itself create duplicates."
    )
    tuned: Sequence[tuple[str, str]] = (("lstm", "lstm+rl"), ("lstm-events", "lstm-events+rl"))
    title: str = "Melodies by the LSTM and by the LSTM tuned with reinforcement learning"
    published: bool = True
    verdicts: Sequence[Remark] = ()
    differences: Sequence[Difference] = ()
    distributions: Sequence[Distribution] = ()
    similarity: Sequence[SelfSimilarity] = ()
    copies: Sequence[CopiedPassage] = ()
    two_sample: Mapping[str, Any] = field(default_factory=dict)
    method: Sequence[str] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def systems(self) -> Mapping[str, Any]:
        """The systems of the results by name, the human melodies first."""
        systems = self.results.get("systems", {})
        return human_first(systems) if isinstance(systems, Mapping) else {}


def human_first(systems: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the human melodies at the beginning, if there are any.

    Examples:
        >>> list(human_first({"lstm": 1, "human": 2}))
        ['human', 'lstm']
    """
    return {name: systems[name] for name in sorted(systems, key=lambda name: name != HUMAN)}


def read_interval(entry: Any) -> Interval | None:  # noqa: ANN401  (anything JSON can hold)
    """Read a number of results, `{"value", "low", "high"}`; without bounds they equal it, None where there is none.

    Examples:
        >>> read_interval({"value": 0.5, "low": 0.4, "high": None}), read_interval({"value": None, "reason": "silence"})
        (Interval(value=0.5, low=0.4, high=0.5), None)
    """
    entry = entry if isinstance(entry, Mapping) else {"value": entry}
    value, low, high = (entry.get(name) for name in ("value", "low", "high"))
    if not isinstance(value, int | float):
        return None
    return Interval(float(value), float(value if low is None else low), float(value if high is None else high))
