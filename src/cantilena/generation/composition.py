"""A composed melody, and how probable its new notes are."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cantilena.io import InstrumentName, Pattern, write
from cantilena.models import UNKNOWN
from cantilena.music import ChordTrack, Form, Melody


@dataclass(frozen=True)
class Conditioning:
    """What a model was told of a melody before its first token, beside key, meter and pickup.

    Args:
        semitones: from the pitches of the tokens to those of the melody.
        style: the id of the style.
        register: the id of the mean pitch.
        length: ticks of the melody, a primer before it included; 0 if it was not told.
        form: None if it was not told.
        chords: of the melody from its first tick on, a primer before it included; none if they were not told.
    """

    semitones: int = 0
    style: int = UNKNOWN
    register: int = UNKNOWN
    length: int = 0
    form: Form | None = None
    chords: ChordTrack = field(default_factory=ChordTrack)


@dataclass(frozen=True)
class Composition(Melody):
    """A melody that a model composed.

    Args:
        tokens: the names of the new tokens, in the key of the model.
        log_likelihood: nats of the new tokens under the untuned model.
        policy_log_likelihood: nats of the new tokens under the model that composed; with constraints, under its
            probabilities normalised over the tokens that they leave.
        rules_broken: how often a constraining rule was broken because no token kept all; None without constraints.
        form: what the melody was composed by; None if it has no plan.
        no_form: why it has none; empty if it has one.
        form_note: how the form differs from the one that was asked for; empty if it does not.
        conditioning: what the model was told; None if a VAE decoded codes.
    """

    tokens: tuple[str, ...] = ()
    log_likelihood: float = field(default=0.0, compare=False)
    policy_log_likelihood: float = field(default=0.0, compare=False)
    rules_broken: int | None = field(default=None, compare=False)
    form: Form | None = field(default=None, compare=False)
    no_form: str = field(default="", compare=False)
    form_note: str = field(default="", compare=False)
    conditioning: Conditioning | None = field(default=None, compare=False)

    @property
    def plan(self) -> dict[str, Any] | None:
        """The form as JSON, with the key; None if the melody has no plan."""
        if self.form is None or self.key is None:
            return None
        shown = self.form.plan()
        plan = {"bars": shown["bars"], "sections": shown["sections"], "key": self.key.name, "cadence": shown["cadence"]}
        return {**plan, "note": self.form_note} if self.form_note else plan

    def save(
        self,
        path: str | Path,
        *,
        expressive: bool = False,
        accompaniment: Pattern = "block",
        staves: int = 1,
        instrument: InstrumentName = "piano",
    ) -> None:
        """Write a .mid, .musicxml, .svg, .wav or .abc file; the options are those of `cantilena.write`."""
        write(
            self,
            Path(path),
            expressive=expressive,
            accompaniment=accompaniment,
            staves=staves,
            instrument=instrument,
        )

    def _repr_html_(self) -> str:
        """The score and a player, which Jupyter shows as the value of a cell."""
        from cantilena.io import (
            accompaniment,
            render,
            score_svg,
            sound_bytes,
        )  # composing does not wait for the engraver

        played = render(self, rate=_RATE, accompaniment=accompaniment(self))
        sound = b64encode(sound_bytes(played, _RATE, "FLAC")).decode("ascii")
        player = f'<audio controls src="data:audio/flac;base64,{sound}"></audio>'
        return f'<div style="background: white; color: black">{score_svg(self)}</div>{player}'


_RATE = 22_050
"""Samples a second of the player in a notebook."""
