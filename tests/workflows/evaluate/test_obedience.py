"""Obedience: a model that repeats what it is told to repeat, and one that does not listen."""

from __future__ import annotations

from typing import Any

import numpy as np

from cantilena.generation import Composer
from cantilena.models import FormModel, Network, NetworkOptions
from cantilena.music import Form, Meter
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.evaluate.obedience import measure_obedience

NOTES = NotesEncoding((1, 24, 48, 96), 60, 79)


class Repeating:
    """Quarters that rise with their place in the bar, in every bar alike, and end on the tonic or not."""

    vocabulary_size = len(NOTES.vocabulary)

    def __init__(self, *, wanders: bool) -> None:
        self.wanders = wanders

    def start(self, melodies: int) -> tuple[Any, Any]:
        return self._row(melodies, 0), 0

    def step(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        return self._row(len(tokens), state + 1), state + 1

    def log_probs(self, tokens: Any) -> Any:
        return np.stack([self._row(len(tokens), step) for step in range(tokens.shape[1])], axis=1)

    def _row(self, melodies: int, number: int) -> Any:
        place = number // 2
        token = (
            2 if number % 2 == 0 else NOTES.parts[1][0] + (12 + place // 4 if self.wanders else [4, 5, 7, 0][place % 4])
        )
        row = np.full((melodies, self.vocabulary_size), -50.0)
        row[:, min(token, NOTES.rest - 1)] = 0.0
        return row


def measured(model: Any, form: str, ending: Any = "full") -> dict[str, float | None]:
    forms = FormModel.learned_from([(Meter(), Form.parse(form, ending=ending))])
    shares = measure_obedience(Composer(model, model, NOTES, forms=forms))
    return {name: share["value"] for name, share in shares.items()}


def test_a_model_that_repeats_obeys_and_one_that_wanders_does_not() -> None:
    obeys = measured(Repeating(wanders=False), "A4A4B4A4")
    assert obeys == {"literal_notes": 1.0, "varied_notes": None, "varied_returns": None, "cadences": 1.0}
    assert measured(Repeating(wanders=False), "A4A4B4A4", "half")["cadences"] == 0.0
    wanders = measured(Repeating(wanders=True), "A4A4B4A4")
    assert wanders["literal_notes"] == 0.0
    varied = measured(Repeating(wanders=False), "A4A'4B8")
    assert (varied["varied_notes"], varied["varied_returns"]) == (1.0, 0.0)  # it does not vary


def test_a_network_without_training_obeys_by_chance() -> None:
    options = NetworkOptions(width=8, embedding=8, durations=NOTES.durations, pitches=20, plan=True)
    network = Network(options, len(NOTES.vocabulary), seed=2)
    shares = measured(network, "A4A4B8")
    assert shares["literal_notes"] is not None
    assert 0.0 <= shares["literal_notes"] < 0.3
