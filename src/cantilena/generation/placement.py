"""Where a composition lies: key, range, meter, tempo, and the primer as tokens in the key of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition, Conditioning
from cantilena.generation.options import ComposeOptions
from cantilena.generation.sampling import token_budget
from cantilena.models import LEAD, UNKNOWN, Bars, register_id
from cantilena.music import ChordTrack, Form, Key, Melody, Meter, Pitch, Tempo, parse_pitch_range
from cantilena.rules import Context
from cantilena.tokenizers import END, Encoding, NotesEncoding, token_pitches

LEAD_RANGE = "C4-A5"
"""The range of a lead that a voice and most instruments have, on the treble staff."""

_DEFAULT_SECONDS = 30.0
_MAX_STEPS = 100_000


@dataclass(frozen=True)
class Placement:
    """All that is fixed before the first token is drawn, randomness and constraints aside.

    Args:
        encoding: of the model.
        primer: `(primer steps,)` tokens in the key of the model; may be empty.
        with_primer: whether the result begins with the primer.
        allowed: `(vocabulary,)`: which tokens lie in the range; None for all.
        model_key: the key of the tokens.
        semitones: from the pitches of the tokens to those of the result.
        key: of the result.
        meter: of the result.
        tempo: of the result.
        pickup: ticks before the first barline.
        style: the id of the style that the model is given.
        register: the same of the mean pitch.
    """

    encoding: Encoding
    primer: NDArray[np.int64]
    with_primer: bool
    allowed: NDArray[np.bool_] | None
    model_key: Key
    semitones: int
    key: Key
    meter: Meter
    tempo: Tempo
    pickup: int
    style: int = 0
    register: int = UNKNOWN

    @property
    def ticks_per_step(self) -> int:
        """Ticks of a step."""
        return self.encoding.ticks_per_step

    @property
    def steps_per_bar(self) -> int:
        """Steps of a bar."""
        return max(self.meter.ticks_per_bar // self.ticks_per_step, 1)

    @cached_property
    def primer_ticks(self) -> int:
        """Length of the primer."""
        return self.encoding.decode(self.primer).length

    def steps(self, options: ComposeOptions) -> int:
        """Number of new tokens for a length, rounded up; at least 1. Of notes the most that may be needed."""
        if options.events is not None:
            return options.events * (len(self.encoding.parts) if isinstance(self.encoding, NotesEncoding) else 1)
        return token_budget(self.encoding, self.new_ticks(options))

    def new_ticks(self, options: ComposeOptions) -> int:
        """Length of the new music that is asked for, at least 1 tick; 0 if it is a number of events.

        Raises:
            UsageError: it is too long.
        """
        if options.events is not None:
            return 0
        if options.bars is not None:
            ticks = options.bars * self.meter.ticks_per_bar - self.primer_ticks
            if ticks <= 0:
                bars = -(-self.primer_ticks // self.meter.ticks_per_bar)
                raise UsageError(
                    f"the primer fills {bars} bars, and {options.bars} are asked for",
                    f"give more than {bars} bars, the primer included",
                )
        else:
            seconds = _DEFAULT_SECONDS if options.seconds is None else options.seconds
            before = self.primer_ticks
            ticks = self.tempo.ticks(self.tempo.seconds(before) + seconds) - before
        steps = -(-ticks // self.ticks_per_step)
        if steps > _MAX_STEPS:
            raise UsageError(f"the melody would have {steps} steps", f"give a length of {_MAX_STEPS} steps at most")
        return max(ticks, 1)

    def length(self, options: ComposeOptions) -> int:
        """Ticks of primer and new music together that a model of notes is told and reaches; 0 for other models."""
        new = self.new_ticks(options) if isinstance(self.encoding, NotesEncoding) else 0
        return self.primer_ticks + new if new else 0

    def line_steps(self, options: ComposeOptions) -> int:
        """Steps of the line of primer and new music together; 0 if a model of notes composes a number of events."""
        if isinstance(self.encoding, NotesEncoding):
            return -(-self.length(options) // self.ticks_per_step)
        return len(self.primer) + self.steps(options)

    def bars(self, melodies: int, length: int = 0) -> Bars:
        """Bars and conditions of the result; `length` is what `Placement.length` returns, 0 if a model is not told."""
        has_rhythm = self.encoding.has_rhythm
        return Bars.from_meter(
            self.meter if has_rhythm else Meter(),
            melodies=melodies,
            ticks_per_step=self.encoding.ticks_per_count,
            pickup=self.pickup if has_rhythm else 0,
            key=self.model_key,
            style=self.style,
            role=LEAD if self.register else "",
            register=self.register,
            length=length,
        )

    def conditioning(self, length: int = 0, form: Form | None = None, chords: ChordTrack | None = None) -> Conditioning:
        """What a model is told with `bars` of this length, a form and chords."""
        return Conditioning(self.semitones, self.style, self.register, length, form, chords or ChordTrack())

    def conditioned(self, melody: Melody, given: Conditioning) -> Placement:
        """The same for a melody, transposed and with conditions as given.

        Raises:
            UsageError: a note is no MIDI pitch there.
        """
        primer = self.encoding.encode(melody.transposed(-given.semitones))
        return replace(self, primer=primer, semitones=given.semitones, style=given.style, register=given.register)

    def context(self) -> Context:
        """The context of rules on the tokens."""
        return Context(self.model_key, self.meter, self.steps_per_bar)

    def composition(self, new: NDArray[np.int64], **fields: Any) -> Composition:  # noqa: ANN401
        """The composition of `(steps,)` new tokens; `fields` are others of `Composition`."""
        new = without_end(new, self.encoding)
        tokens = np.concatenate([self.primer, new]) if self.with_primer else new
        melody = self.encoding.decode(tokens, key=self.model_key, meter=self.meter).transposed(self.semitones)
        return Composition(
            notes=melody.notes,
            key=self.key,
            meter=self.meter,
            tempo=self.tempo,
            **{"pickup": self.pickup if self.with_primer else 0, **fields},
            length=melody.length,
            source="composed by Cantilena",
            tokens=tuple(self.encoding.vocabulary[token] for token in new),
        )


def place(
    encoding: Encoding,
    options: ComposeOptions,
    primer: Melody | None,
    *,
    normalized_key: bool,
    tuned_key: Key | None = None,
    default_key: Key | None = None,
    default_meter: Meter | None = None,
    style: int = 0,
    has_roles: bool = False,
) -> Placement:
    """Decide key, range, meter and tempo, and convert the primer to tokens.

    Args:
        encoding: of the model.
        options: length, key, meter, range.
        primer: the melody to continue.
        normalized_key: whether the model knows C major and A minor only.
        tuned_key: the key in which the model was tuned.
        default_key: of the result, if neither options nor primer have one.
        default_meter: the same.
        style: the id of the style.
        has_roles: whether the model is told roles and registers: without a primer, a style or a range it then
            composes a lead in `LEAD_RANGE`.

    Raises:
        UsageError: a key, meter or range is invalid.
    """
    own_key = primer.key if primer is not None and primer.key is not None else default_key or Key()
    key = own_key
    if options.key:
        key = options.key if isinstance(options.key, Key) else Key.parse(options.key)
    model_key = key
    if normalized_key:
        model_key = key.plain
    elif tuned_key is not None and tuned_key.mode == key.mode:
        model_key = tuned_key
    is_free = primer is None and not style and not options.range.strip()
    low_high = pitch_range(LEAD_RANGE if has_roles and is_free else options.range, encoding)
    own_meter = primer.meter if primer is not None else default_meter or Meter()
    own_tempo = primer.tempo if primer is not None else Tempo()

    # Rather upwards than down: models learn around C4 to C5, and melodies are written on the treble staff.
    tokens, semitones = np.zeros(0, dtype=np.int64), (model_key.interval_to(key) + 3) % 12 - 3
    if primer is not None:
        into_key = own_key.interval_to(key)
        inside = _octave_for_primer(encoding, primer, into_key - semitones)
        semitones = into_key - inside
        tokens = encoding.encode(primer.transposed(inside))
    elif low_high is not None:
        semitones += _octave_for_range(encoding, semitones, low_high)
    register = UNKNOWN
    if has_roles and low_high is not None:
        register = register_id(sum(low_high) / 2 - semitones)
    elif has_roles and primer is not None and primer.sounding:
        register = register_id(float(np.mean([note.top for note in primer.sounding])) - semitones)
    return Placement(
        encoding=encoding,
        primer=tokens,
        with_primer=options.with_primer,
        allowed=tokens_within(encoding, semitones, low_high),
        model_key=model_key,
        semitones=semitones,
        key=key,
        meter=Meter.parse(options.meter) if options.meter else own_meter,
        tempo=own_tempo if options.tempo is None else Tempo.constant(options.tempo),
        pickup=primer.pickup if primer is not None else 0,
        style=style,
        register=register,
    )


def without_end(tokens: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
    """The tokens of a melody of notes without the padding by `END`; others as they are.

    Examples:
        >>> without_end(np.array([11, 29, 0, 0]), NotesEncoding()).tolist()
        [11, 29]
    """
    if not isinstance(encoding, NotesEncoding):
        return tokens
    ends = np.flatnonzero(tokens == END)
    return tokens[: ends[0]] if len(ends) else tokens


def tokens_within(encoding: Encoding, semitones: int, low_high: tuple[int, int] | None) -> NDArray[np.bool_] | None:
    """`(vocabulary,)`: which tokens lie in a range of pitches after a transposition; None for all.

    Raises:
        UsageError: no note does.
    """
    low, high = low_high if low_high is not None else (0, 127)
    pitches = token_pitches(encoding)
    inside = [not p or (low <= p[0] + semitones and p[-1] + semitones <= high) for p in pitches]
    if not any(p and fits for p, fits in zip(pitches, inside, strict=True)):
        raise UsageError(
            f"no note of the model lies in the range {Pitch(low).name}-{Pitch(high).name}",
            f"its notes are {model_range(encoding, semitones)} here: give a --range with some of them",
        )
    chords = encoding.chords if isinstance(encoding, NotesEncoding) else ()
    deepest = max((chord[-1] for chord in chords if chord), default=0)
    all_fit = all(inside) and low <= min(p[0] for p in pitches if p) + semitones - deepest
    return None if all_fit else np.array(inside, dtype=np.bool_)


def model_range(encoding: Encoding, semitones: int = 0) -> str:
    """The lowest and the highest note of a model after a transposition.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> model_range(GridEncoding())
        'C3 to B5'
    """
    pitches = [min(max(pitch + semitones, 0), 127) for chord in token_pitches(encoding) for pitch in chord]
    return f"{Pitch(min(pitches)).name} to {Pitch(max(pitches)).name}"


def pitch_range(text: str, encoding: Encoding) -> tuple[int, int] | None:
    """Parse a range of pitches; None if the text is empty.

    Raises:
        UsageError: it is not a range; the hint names that of the model.
    """
    try:
        return parse_pitch_range(text) if text.strip() else None
    except UsageError as error:
        raise UsageError(error.text, f"{error.hint}; the model's notes are {model_range(encoding)}") from error


def _octave_for_primer(encoding: Encoding, primer: Melody, semitones: int) -> int:
    """The shift, octaves around `semitones`, by which the fewest notes of a primer are folded or dropped."""

    def cost(octaves: int) -> tuple[int, int]:
        moved = semitones + 12 * octaves
        if not all(0 <= pitch + moved <= 127 for note in primer.sounding for pitch in note.pitches):
            return (2**31, abs(octaves))
        fit = encoding.fit(primer.transposed(moved))
        return (fit.folded + fit.dropped, abs(octaves))

    return semitones + 12 * min(range(-4, 5), key=cost)


def _octave_for_range(encoding: Encoding, semitones: int, low_high: tuple[int, int]) -> int:
    """The smallest octave shift that moves most of the model's pitches into the range."""
    spans = [(pitches[0], pitches[-1]) for pitches in token_pitches(encoding) if pitches]
    low, high = low_high

    def inside(octaves: int) -> tuple[int, int]:
        moved = semitones + 12 * octaves
        return (sum(low <= bottom + moved and top + moved <= high for bottom, top in spans), -abs(octaves))

    return 12 * max(range(-5, 6), key=inside)
