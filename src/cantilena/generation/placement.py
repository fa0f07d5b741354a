"""Where a composition lies: key, range, meter, tempo, and the primer in the model's own key.

What was asked for, made ready to be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.generation.constraints import Constraints
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.style import Style
from cantilena.models import Bars
from cantilena.music import Key, Melody, Meter, Tempo, parse_pitch_range
from cantilena.rules import Context
from cantilena.tokenizers import Encoding

_DEFAULT_SECONDS = 30.0


@dataclass(frozen=True)
class Placement:
    """All that is fixed before the first note is drawn.

    Args:
        primer: `(primer steps,)` tokens in the model's key; empty without a primer.
        with_primer: whether the result begins with the primer.
        allowed: `(vocabulary,)`: which tokens lie in the range; None for all.
        home: the key in which the model thinks.
        semitones: from the model's pitches to those of the result.
        key: of the result.
        meter: of the result.
        tempo: of the result.
        pickup: ticks before the first barline, of the primer.
        step_ticks: ticks a step.
    """

    primer: NDArray[np.int64]
    with_primer: bool
    allowed: NDArray[np.bool_] | None
    home: Key
    semitones: int
    key: Key
    meter: Meter
    tempo: Tempo
    pickup: int
    step_ticks: int

    def steps(self, options: ComposeOptions) -> int:
        """How many new tokens the asked length takes: whole ones, at least 1, what is begun is finished."""
        if options.events is not None:
            return options.events
        if options.bars is not None:
            ticks = options.bars * self.meter.ticks_per_bar
        else:
            seconds = _DEFAULT_SECONDS if options.seconds is None else options.seconds
            before = len(self.primer) * self.step_ticks
            ticks = self.tempo.ticks(self.tempo.seconds(before) + seconds) - before
        steps = max(-(-ticks // self.step_ticks), 1)
        if steps > 100_000:
            raise UsageError(f"a melody of {steps} steps", "ask for less: 100000 steps at the most")
        return steps

    def bars(self, encoding: Encoding, melodies: int, style: int) -> Bars:
        """Where the steps lie, and all that a network can be told of what is to come."""
        return Bars.of(
            self.meter if encoding.tells_time else Meter(),
            melodies=melodies,
            step_ticks=self.step_ticks,
            pickup=self.pickup if encoding.tells_time else 0,
            key=self.home,
            style=style,
        )

    def context(self) -> Context:
        """Key and bars in which rules judge."""
        return Context(self.home, self.meter, max(self.meter.ticks_per_bar // self.step_ticks, 1))


def place(
    encoding: Encoding,
    options: ComposeOptions,
    idea: Melody | None,
    *,
    plain_keys: bool,
    tuned_key: Key | None = None,
    tuned_meter: Meter | None = None,
    style: Style | None = None,
) -> Placement:
    """Decide key, range, meter and tempo, and turn the primer into tokens.

    Args:
        encoding: of the model.
        options: what was asked.
        idea: the primer, or None.
        plain_keys: whether the model thinks in C major and A minor only.
        tuned_key: the key that the model was tuned in, if it was tuned: what it composes in unless told otherwise.
        tuned_meter: the same of the time signature.
        style: the style to compose in, whose usual key and meter come before those.

    Raises:
        UsageError: a key, meter or range that is none.
    """
    usual_key, usual_meter = (style.key, style.meter) if style is not None else (None, None)
    own_key = idea.key if idea is not None and idea.key is not None else usual_key or tuned_key or Key()
    key = Key.parse(options.key) if options.key else own_key
    home = _home(key, plain_keys=plain_keys, tuned_key=tuned_key)
    low_high = parse_pitch_range(options.range) if options.range.strip() else None
    own_meter = idea.meter if idea is not None else usual_meter or tuned_meter or Meter()
    meter = Meter.parse(options.meter) if options.meter else own_meter
    own_tempo = idea.tempo if idea is not None else Tempo()
    tempo = own_tempo if options.tempo is None else Tempo.constant(options.tempo)

    # Rather upwards than down: what models learn lies around C4 to C5, and melodies live on the treble staff.
    primer, semitones = np.zeros(0, dtype=np.int64), (home.interval_to(key) + 3) % 12 - 3
    if idea is not None:
        into_key = _shift(own_key, key)
        inside = _octave_for_primer(encoding, idea, into_key - semitones)
        semitones = into_key - inside
        primer = encoding.encode(idea.transposed(inside))
    elif low_high is not None:
        semitones += _octave_for_range(encoding, semitones, low_high)
    return Placement(
        primer=primer,
        with_primer=options.with_primer,
        allowed=tokens_within(encoding, semitones, low_high),
        home=home,
        semitones=semitones,
        key=key,
        meter=meter,
        tempo=tempo,
        pickup=idea.pickup if idea is not None else 0,
        step_ticks=encoding.step_ticks,
    )


def tuned_in(provenance: Mapping[str, Any]) -> tuple[Key | None, Meter | None]:
    """Key and meter that a bundle's provenance says it was tuned in; None where it says nothing.

    Raises:
        BundleError: what it says is no key or no meter.

    Example:
        >>> tuned_in({"tuning": {"key": "A minor"}})
        (Key(tonic=9, mode='minor'), None)
    """
    tuning = provenance.get("tuning")
    said = tuning if isinstance(tuning, dict) else {}
    key, meter = (str(said.get(name) or "") for name in ("key", "meter"))
    try:
        return Key.parse(key) if key else None, Meter.parse(meter) if meter else None
    except UsageError as error:
        hint = "tune it again with this version, or ask whoever gave it to you for a new file"
        raise BundleError(
            f"this bundle says that it was tuned in a key or meter that is none: {error.text}", hint
        ) from error


def _home(key: Key, *, plain_keys: bool, tuned_key: Key | None) -> Key:
    """The key of the model's own tokens for a result in that key.

    A model of plain keys was tuned in the plain one of the key that was asked for; another one in that key itself.
    """
    if plain_keys:
        return key.plain
    return tuned_key if tuned_key is not None and tuned_key.mode == key.mode else key


def _shift(own: Key, wanted: Key) -> int:
    """Semitones by which a primer moves into a key that was asked for; none if the tonic is the same."""
    return own.interval_to(wanted)


def _octave_for_primer(encoding: Encoding, idea: Melody, semitones: int) -> int:
    """The shift, in octaves around `semitones`, that leaves the fewest notes of a primer to be folded or dropped."""

    def cost(octaves: int) -> tuple[int, int]:
        moved = semitones + 12 * octaves
        if not all(0 <= pitch + moved <= 127 for note in idea.sounding for pitch in note.pitches):
            return (2**31, abs(octaves))
        fit = encoding.fit(idea.transposed(moved))
        return (fit.folded + fit.dropped, abs(octaves))

    return semitones + 12 * min(range(-4, 5), key=cost)


def _octave_for_range(encoding: Encoding, semitones: int, low_high: tuple[int, int]) -> int:
    """The octave shift that puts most of the model's pitches into the range, the nearest of the best."""
    spans = [span for span in _spans(encoding) if span is not None]
    low, high = low_high

    def inside(octaves: int) -> tuple[int, int]:
        moved = semitones + 12 * octaves
        return (sum(low <= bottom + moved and top + moved <= high for bottom, top in spans), -abs(octaves))

    return 12 * max(range(-5, 6), key=inside)


def tokens_within(encoding: Encoding, semitones: int, low_high: tuple[int, int] | None) -> NDArray[np.bool_] | None:
    """`(vocabulary,)`: which tokens lie within a range after so many semitones; None for all.

    Raises:
        UsageError: none that strikes a note.
    """
    low, high = low_high if low_high is not None else (0, 127)
    spans = _spans(encoding)
    allowed = np.array(
        [span is None or (low <= span[0] + semitones and span[1] + semitones <= high) for span in spans], dtype=np.bool_
    )
    if not any(span is not None and fits for span, fits in zip(spans, allowed, strict=True)):
        raise UsageError("no note of the model lies in that range", "give a wider --range")
    return None if allowed.all() else allowed


def _spans(encoding: Encoding) -> list[tuple[int, int] | None]:
    """The lowest and highest pitch that each token strikes; None for tokens that strike none."""
    struck = [encoding.decode(np.array([token])).sounding for token in range(len(encoding.vocabulary))]
    return [(min(notes[0].pitches), max(notes[0].pitches)) if notes else None for notes in struck]


@dataclass(frozen=True)
class Commission:
    """All that is fixed before the first token is drawn.

    Args:
        placement: key, range, meter, tempo and primer.
        style: the number of the style that the model is told.
        uniforms: `(melodies, steps)`: the randomness.
        sampling: how tokens are drawn.
        bars: where the first step lies in its bar.
        constraints: rules to keep; None for none.
    """

    placement: Placement
    style: int
    uniforms: NDArray[np.float64]
    sampling: SamplingOptions | None
    bars: Bars
    constraints: Constraints | None

    def asked(self) -> dict[str, Any]:
        """The arguments of `sample` and `draw`."""
        return {
            "uniforms": self.uniforms,
            "options": self.sampling,
            "primer": self.placement.primer,
            "allowed": self.placement.allowed,
            "bars": self.bars,
            "constraints": self.constraints,
        }
