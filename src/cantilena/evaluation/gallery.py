"""Which figures a report shows, and what stands under each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cantilena.evaluation import figures
from cantilena.evaluation.metric_catalogue import in_order, words_of
from cantilena.evaluation.metric_words import DISTANCE, DIVERSITY, RULES
from cantilena.evaluation.report_data import ReportData
from cantilena.formats import score_with_timemap
from cantilena.music import Melody
from cantilena.runs import write_bytes, write_text


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Args:
        name: of its file, without suffix; unique in a report.
        title: what it shows.
        caption: how to read it.
        figure: the drawing itself.
    """

    name: str
    title: str
    caption: str
    figure: figures.Figure

    @property
    def svg(self) -> str:
        """The drawing as an SVG element for a page."""
        return figures.svg_text(self.figure, self.name)

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return bool(self.figure.get_figwidth() > 8)


@dataclass(frozen=True)
class ShownScore:
    """A melody whose score a report shows large, as the paper does.

    Args:
        name: of its file, without suffix.
        title: what it shows.
        caption: how it was chosen.
        melody: the melody.
    """

    name: str
    title: str
    caption: str
    melody: Melody


def drawings(data: ReportData) -> tuple[Drawing, ...]:
    """The figures that the data allow: the paper's 8, 9 and 10, then what the paper does not show."""
    return (*_of_probabilities(data), *_of_rewards(data), *_of_metrics(data), *_of_learning(data))


def shown_scores(data: ReportData) -> tuple[ShownScore, ...]:
    """The paper's figures 4, 5 and 7: a melody by the LSTM, its most repetitive one, and one by the tuned model."""
    by_name = {system.name: system.melodies for system in data.melodies if system.melodies}
    shown = []
    for before, after in data.tuned[:1]:
        if before in by_name:
            dull = max(by_name[before], key=longest_repetition)
            shown.append(
                ShownScore(
                    "figure-4", f"Figure 4: a melody by {before}", "The first that it composed.", by_name[before][0]
                )
            )
            shown.append(
                ShownScore(
                    "figure-5",
                    f"Figure 5: the most repetitive melody by {before}",
                    f"Of its {len(by_name[before])} melodies here, the one with the longest run of one note: "
                    f"{longest_repetition(dull)} in a row.",
                    dull,
                )
            )
        if after in by_name:
            shown.append(
                ShownScore(
                    "figure-7", f"Figure 7: a melody by {after}", "The first that it composed.", by_name[after][0]
                )
            )
    return tuple(shown)


def longest_repetition(melody: Melody) -> int:
    """How often one note or chord is struck in a row at most.

    Example:
        >>> longest_repetition(Melody.of([(60, 6), (62, 6), (62, 6), (None, 6), (62, 6), (60, 6)]))
        3
    """
    longest = row = 0
    before: tuple[int, ...] = ()
    for note in melody.sounding:
        row = row + 1 if note.pitches == before else 1
        before, longest = note.pitches, max(longest, row)
    return longest


def write_gallery(folder: Path, shown: tuple[Drawing, ...], scores: tuple[ShownScore, ...]) -> None:
    """Write the figures as PNG and the scores as SVG, to keep.

    Args:
        folder: made if missing.
        shown: what `drawings` gave.
        scores: what `shown_scores` gave.
    """
    for drawing in shown:
        write_bytes(folder / f"{drawing.name}.png", figures.png_bytes(drawing.figure))
    for score in scores:
        write_text(folder / f"{score.name}.svg", score_with_timemap(score.melody).svg)


def _of_probabilities(data: ReportData) -> Iterator[Drawing]:
    numbers = {name: str(8 + index) for pair in data.tuned[:1] for index, name in enumerate(pair)}
    for index, seen in enumerate(data.probabilities):
        number = numbers.pop(seen.name, "")
        yield Drawing(
            f"figure-{number}" if number else f"probabilities-{index + 1}",
            (f"Figure {number}: what" if number else "What") + f" {seen.name} thought at each step",
            "Each column is a step of one melody, each row a token; the brighter, the more probable. A circle marks "
            "the token that was taken.",
            figures.note_probabilities(seen),
        )


def _of_rewards(data: ReportData) -> Iterator[Drawing]:
    for index, history in enumerate(data.rewards):
        if not len(history.steps):
            continue
        yield Drawing(
            "figure-10" if index == 0 else f"rewards-{index + 1}",
            ("Figure 10: " if index == 0 else "") + f"rewards of {history.name} while tuning",
            "Above, what each rule gave a melody, on a scale that is logarithmic beyond ten. Below, how probable the "
            "untuned model finds the melodies (log p), and how far the tuned model has moved from it (KL).",
            figures.reward_history(history),
        )


def _of_metrics(data: ReportData) -> Iterator[Drawing]:
    measured = {
        metric
        for system in data.systems.values()
        for metric, entry in system.get("metrics", {}).items()
        if entry.get("value") is not None
    }
    shown = [name for name in in_order(measured) if words_of(name).group in (RULES, DIVERSITY, DISTANCE)]
    if {"in_motif", "distinct_4"} <= measured:
        yield Drawing(
            "rules-and-diversity",
            "Rules beside diversity",
            "Notes in a motif can be had by playing one good melody for ever. Such a model stands high and far left; "
            "up and to the right is where both hold.",
            figures.rules_and_diversity(data.systems),
        )
    if shown:
        yield Drawing(
            "metrics",
            "Every system on every metric",
            "Dots are values, bars 95 % intervals, the dotted line the held-out human melodies. An arrow says which "
            "way the rule asks; human melodies show how far music itself goes.",
            figures.metric_panels(data.systems, shown),
        )


def _of_learning(data: ReportData) -> Iterator[Drawing]:
    curves = [curve for curve in data.curves if len(curve.train) or len(curve.valid)]
    if curves:
        yield Drawing(
            "learning",
            "How the networks learned",
            "Surprise at each step, in nats, after each epoch. Where the dashed line falls and the other rises, a "
            "network learns its pieces by heart.",
            figures.learning_curves(curves),
        )
