"""Published results, to show beside those of a run.

Values are fractions; a missing metric was not reported. The definitions are those of our metrics of the same name (the
set `rl-tuner`); corpora, networks and numbers of compositions differ, so that the values are not directly comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "Qiu and Wang"
"""The authors of the paper that this project implements."""

JAQUES = "Jaques et al."
"""The authors of the RL Tuner, whose metrics the paper uses."""


@dataclass(frozen=True)
class PublishedSystem:
    """One column of a published table.

    Args:
        name: the authors' name of the system.
        authors: `PAPER` or `JAQUES`.
        values: by metric, fractions (autocorrelations: -1 to 1).
        turing_score: the share of its melodies that listeners took for human; None if it was not tested.
    """

    name: str
    authors: str
    values: Mapping[str, float]
    turing_score: float | None = None


SOURCES: Mapping[str, str] = {
    PAPER: (
        "H. Qiu and C. Wang, Classic Monophonic Melody Generation with LSTM and Reinforcement Learning, section IX.C: "
        "10 compositions a model, ten listeners. Networks trained on the first 30 seconds of 370 MIDI files of "
        "piano-midi.de."
    ),
    JAQUES: (
        "N. Jaques, S. Gu, R. E. Turner and D. Eck, Tuning Recurrent Neural Networks with Reinforcement Learning, "
        "arXiv:1611.02796, 2016, table 1: 100,000 compositions a model. Network trained on about 30,000 MIDI songs."
    ),
}
"""Where each table was published, and over what it was computed."""

_REPEATED, _KEY, _TONIC, _LEAPS = "excessively_repeated", "not_in_key", "starts_on_tonic", "leaps_resolved"
_HIGHEST, _LOWEST, _MOTIF, _RETURNS = "unique_max", "unique_min", "in_motif", "in_repeated_motif"
_LAGS = ("autocorrelation_1", "autocorrelation_2", "autocorrelation_3")
_RL_TUNER = (_REPEATED, *_LAGS, _KEY, _TONIC, _LEAPS, _HIGHEST, _LOWEST, _MOTIF, _RETURNS)


def _row_by_row(*values: float) -> Mapping[str, float]:
    """Values in the order of Jaques et al.'s table."""
    return dict(zip(_RL_TUNER, values, strict=True))


PUBLISHED = (
    PublishedSystem("LSTM", PAPER, {_REPEATED: 0.633, _KEY: 0.050, _MOTIF: 0.102, _RETURNS: 0.0}, turing_score=0.2),
    PublishedSystem("RL+LSTM", PAPER, {_REPEATED: 0.025, _KEY: 0.035, _MOTIF: 0.695, _RETURNS: 0.0062}, 0.4),
    PublishedSystem(
        "Note RNN", JAQUES, _row_by_row(0.633, -0.16, 0.14, -0.13, 0.001, 0.009, 0.772, 0.647, 0.494, 0.059, 0.00007)
    ),
    PublishedSystem("Q", JAQUES, _row_by_row(0.0, -0.11, 0.03, 0.03, 0.010, 0.288, 0.911, 0.564, 0.519, 0.757, 0.0011)),
    PublishedSystem(
        "Psi", JAQUES, _row_by_row(0.0002, -0.10, -0.01, 0.01, 0.006, 0.287, 0.900, 0.594, 0.583, 0.738, 0.0009)
    ),
    PublishedSystem("G", JAQUES, _row_by_row(0.0003, 0.55, 0.31, 0.17, 0.287, 0.0, 0.522, 0.371, 0.565, 0.693, 0.0001)),
)
"""The paper's two systems, and the four of the RL Tuner."""
