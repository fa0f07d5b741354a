"""Which scores a report shows large: the paper's figures 4, 5 and 7."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.music import Melody
from cantilena.reporting.data import ReportData


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
