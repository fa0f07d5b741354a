"""A Note RNN of Magenta's as a bundle of ours: which pitches its classes are, and which of the first two is the hold.

Magenta's melody encoder writes 0 for "no event" and 1 for "note off"; RL Tuner's rules, and our grid, read 0 as off and
1 as hold. A Note RNN that was trained on Magenta's melodies and is read the other way plays short notes between long
rests. Which it is shows in what the model does: on a grid of sixteenths, holds come far more often than offs.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from cantilena.errors import InputError, UsageError
from cantilena.models.bundle.bundle import Bundle
from cantilena.models.bundle.magenta import NoteRnn, NoteRnnFile, torch_weights
from cantilena.models.network.inference import NumpyNetwork
from cantilena.models.network.options import NetworkOptions
from cantilena.music import Pitch
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding

_MELODIES, _STEPS = 64, 64
_OFTEN, _TIMES = 0.2, 4.0
"""Class 0 is the hold if it comes in so many of the steps, and so many times as often as class 1."""


def note_rnn_bundle(
    file: NoteRnnFile,
    *,
    low: int = 48,
    first: str = "C4",
    hold_class: int | None = None,
    licence: str = "",
    name: str = "",
) -> Bundle:
    """The bundle that computes what a Note RNN computes.

    Args:
        file: the Note RNN.
        low: MIDI pitch of class 2.
        first: the token, by name, that the network is fed before the first step; RL Tuner feeds C4.
        hold_class: which class is the hold, 0 or 1; where None, 1 unless the model plainly says 0.
        licence: of the weights, for whoever passes the bundle on.
        name: of the file, for the record.

    Raises:
        InputError: classes that make no grid.
        UsageError: a first token that is none.
    """
    note_rnn = file.note_rnn
    encoding = _encoding(note_rnn.classes, low)
    start = _token(encoding, first)
    options = _options(note_rnn)
    if hold_class is None:
        hold_class = likely_hold_class(note_rnn, options, start)
    order = [1 - hold_class, hold_class, *range(2, note_rnn.classes)]
    return Bundle(
        options=options,
        weights=torch_weights(note_rnn, start, order),
        encoding_description=encoding.description(),
        licence=licence,
        provenance={
            "plain_keys": True,
            "imported": {
                "from": "Magenta's Note RNN",
                "file": name,
                "sha256": file.sha256,
                "scope": file.scope,
                "first": encoding.vocabulary[start],
                "hold_class": hold_class,
            },
        },
    )


def likely_hold_class(note_rnn: NoteRnn, options: NetworkOptions, start: int) -> int:
    """Which class is the hold, as far as the model's own melodies tell; 1 where they do not.

    Args:
        note_rnn: the weights.
        options: the network's shape.
        start: the class that is fed before the first step.
    """
    model = NumpyNetwork(options, torch_weights(note_rnn, start, range(note_rnn.classes)))
    rng = generator(0, "import")
    counts = np.zeros(note_rnn.classes)
    log_probs, state = model.start(_MELODIES)
    for _ in range(_STEPS):
        cumulated = np.cumsum(np.exp(log_probs.astype(np.float64)), axis=1)
        drawn = (cumulated < rng.random((_MELODIES, 1)) * cumulated[:, -1:]).sum(axis=1)
        counts += np.bincount(drawn, minlength=note_rnn.classes)
        log_probs, state = model.step(drawn, state)
    zero, one = counts[:2] / counts.sum()
    return 0 if zero >= _OFTEN and zero >= _TIMES * one else 1


def _encoding(classes: int, low: int) -> GridEncoding:
    try:
        return GridEncoding(low=low, high=low + classes - 3)
    except UsageError as error:
        raise InputError(
            f"{classes} classes, off and hold among them, make {error.text}",
            "class 2 is the pitch that --low names; there must be an octave or more, below MIDI pitch 128",
        ) from error


def _token(encoding: GridEncoding, name: str) -> int:
    """The token of that name, a note spelled in any way."""
    with suppress(UsageError):
        name = Pitch.parse(name).name
    if name in encoding.vocabulary:
        return encoding.vocabulary.index(name)
    raise UsageError(
        f"'{name[:40]}' is not a token of this model",
        f"--first is off, hold, or a note from {encoding.vocabulary[2]} to {encoding.vocabulary[-1]}",
    )


def _options(note_rnn: NoteRnn) -> NetworkOptions:
    try:
        return NetworkOptions(
            layers=note_rnn.layers,
            width=note_rnn.width,
            embedding=note_rnn.classes,
            dropout=0.0,
            bar_position=False,
            look_back=(),
        )
    except UsageError as error:
        raise InputError(f"a network that is too large: {error.text}", error.hint) from error
