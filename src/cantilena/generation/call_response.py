"""Call and response: played notes become a melody of whole bars, and a model answers with as many.

Notes are quantised quarter by quarter to sixteenths or, where they fit clearly better, to triplets. A model that has
learned forms is told that call and answer are two sections, the last of which ends on the tonic; of the melodies of
other models one is chosen that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cantilena.errors import UsageError
from cantilena.generation.composer import Composer
from cantilena.generation.options import MOST_BARS_OF_CALL, ComposeOptions, Reply
from cantilena.music import TICKS_PER_QUARTER, Form, Key, Melody, Meter, Note, Tempo, find_key

_SIXTEENTH, _TRIPLET = 6, 8
_TRIPLET_COST = (0.04 * TICKS_PER_QUARTER) ** 2
"""Squared ticks by which triplets must fit a quarter better than sixteenths: jitter alone is about as large."""

_EARLY = TICKS_PER_QUARTER / 2
"""Ticks before the first beat at which a note is still meant to begin with it."""

_ENDINGS = 4
"""Endings that are tried of an answer: half of what composing tries, since somebody waits for it."""

_CANDIDATES = 8
"""Answers of a model without forms, of which one with a cadence is chosen."""


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note as it was played.

    Args:
        pitch: the MIDI number.
        on: seconds from the first beat of the call to the key press; negative if it was early.
        off: seconds to the release.

    Raises:
        UsageError: a value is out of range.
    """

    pitch: int
    on: float
    off: float

    def __post_init__(self) -> None:
        if not 0 <= self.pitch <= 127:
            raise UsageError(f"pitch {self.pitch} is outside the MIDI range", "give 0 to 127")
        if not -3600 <= self.on <= self.off <= 3600:
            raise UsageError(f"a note from {self.on:g} s to {self.off:g} s", "its end must not come before its start")


@dataclass(frozen=True)
class Response:
    """A call and its answer.

    Args:
        call: what was played.
        notes: of the answer, with onsets from its first beat.
        melody: the call followed by the answer.
    """

    call: Melody
    notes: tuple[Note, ...]
    melody: Melody


def call_melody(
    played: Sequence[PlayedNote],
    *,
    bars: int,
    tempo: float = 120.0,
    meter: Meter | None = None,
    key: Key | None = None,
) -> Melody:
    """Convert played notes to a monophonic melody of so many bars.

    A note ends at the latest where the next one begins, and lasts until there if only a sixteenth is missing. Of notes
    on the same beat the highest stays. What begins up to half a quarter early belongs to the first beat; what begins
    earlier, or after the last sixteenth, is left out.

    Args:
        played: in any order.
        bars: of the call, 1 to 16.
        tempo: quarter notes a minute.
        meter: the time signature; 4/4 if None.
        key: the key; found from the notes if None.

    Raises:
        UsageError: no note is in these bars, or their number is out of range.

    Examples:
        >>> played = [PlayedNote(60, -0.02, 0.47), PlayedNote(64, 0.52, 0.9), PlayedNote(67, 1.01, 1.98)]
        >>> call = call_melody(played, bars=1)
        >>> [(note.name, note.onset, note.duration) for note in call.notes], call.length
        ([('C4', 0, 24), ('E4', 24, 24), ('G4', 48, 48)], 96)
    """
    if not 1 <= bars <= MOST_BARS_OF_CALL:
        raise UsageError(f"a call of {bars} bars", f"give 1 to {MOST_BARS_OF_CALL}")
    meter = meter or Meter()
    length, rate = bars * meter.ticks_per_bar, Tempo.constant(tempo).initial * TICKS_PER_QUARTER / 60
    heard = [(one.on * rate, one.off * rate, one.pitch) for one in played if one.on * rate >= -_EARLY]
    steps = _steps([max(on, 0.0) for on, _, _ in heard], meter)
    struck: dict[int, tuple[int, int]] = {}  # onset -> the highest pitch and its end
    for on, off, pitch in heard:
        onset = _snapped(on, steps)
        if onset < length:
            end = max(_snapped(off, steps), onset + _SIXTEENTH)
            struck[onset] = max(struck.get(onset, (-1, 0)), (pitch, end))
    if not struck:
        raise UsageError(f"the call of {bars} bars has no note", "play at least one note between its barlines")
    onsets = sorted(struck)
    notes = []
    for onset, following in zip(onsets, [*onsets[1:], length], strict=True):
        pitch, end = struck[onset]
        if following - end <= _SIXTEENTH:
            end = following
        notes.append(Note((pitch,), onset, min(end, following) - onset))
    melody = Melody(tuple(notes), meter=meter, tempo=Tempo.constant(tempo), length=length)
    return replace(melody, key=key or find_key(melody))


def _steps(onsets: Sequence[float], meter: Meter) -> dict[int, int]:
    """The ticks of a step in the quarters where triplets fit better than sixteenths; compound meters have none."""
    if meter.ticks_per_beat % TICKS_PER_QUARTER:
        return {}
    cost: dict[int, float] = {}
    for onset in onsets:
        quarter = int(onset // TICKS_PER_QUARTER)
        by_triplets, by_sixteenths = ((onset - round(onset / step) * step) ** 2 for step in (_TRIPLET, _SIXTEENTH))
        cost[quarter] = cost.get(quarter, _TRIPLET_COST) + by_triplets - by_sixteenths
    return {quarter: _TRIPLET for quarter, difference in cost.items() if difference < 0}


def _snapped(tick: float, steps: dict[int, int]) -> int:
    step = steps.get(int(tick // TICKS_PER_QUARTER), _SIXTEENTH)
    return max(round(tick / step) * step, 0)


def answer(
    composer: Composer,
    call: Melody,
    options: ComposeOptions | None = None,
    *,
    reply: Reply = "new",
    seed: int = 1,
    **changes: Any,  # noqa: ANN401
) -> Response:
    """Answer a call with as many bars, in its key, meter and tempo.

    Args:
        composer: what answers.
        call: whole bars, as of `call_melody`.
        options: `style`, `range`, `constrain` and `sampling`; others are decided by the call.
        reply: a new phrase, or the call with another ending.
        seed: the same seed gives the same answer.
        changes: fields of `ComposeOptions` or `SamplingOptions`.

    Raises:
        UsageError: the call has no notes or no whole bars, an option has no effect, or the model knows no rhythm.

    Examples:
        >>> from cantilena.generation import load
        >>> call = call_melody([PlayedNote(60, 0, 1), PlayedNote(64, 1, 2)], bars=1)
        >>> response = answer(load("tunes"), call, seed=1)
        >>> response.melody.bars, response.melody.until(96).notes == call.notes
        (2, True)
    """
    options = (options or ComposeOptions()).replace(**changes)
    options.check_unused(("style", "range", "constrain", "sampling"), "a call")
    bar = call.meter.ticks_per_bar
    if not call.sounding or call.pickup or call.length % bar:
        raise UsageError("a call has notes, and whole bars without a pickup", "make it by call_melody")
    if not composer.encoding.has_rhythm:
        raise UsageError(f"{composer.name or 'this model'} composes no rhythm", "choose another model, such as tunes")
    bars = call.length // bar
    options = options.replace(primer=call, bars=2 * bars)
    if composer.forms is not None:
        form = Form.parse(f"A{bars}B{bars}" if reply == "new" else f"A{bars}A'{bars}")
        options = options.replace(form=form, ending="full")
    plan = composer.plan(range(1 if composer.forms is not None else _CANDIDATES), options, seed)
    if not options.constrain:
        plan.arguments["endings"] = _ENDINGS
    start, placement = plan.placement.primer_ticks, plan.placement
    # Not Composer.finish, which also measures how probable the melody is: a sixth of the time.
    candidates = [
        placement.composition(tokens).between(start, start + call.length)
        for tokens in plan.sample(composer.model).tokens
    ]
    notes = max(candidates, key=lambda one: _cadence(one, call)).sounding
    new = Melody(notes, length=call.length)
    return Response(call, notes, call.then(new))


def _cadence(candidate: Melody, call: Melody) -> tuple[bool, int]:
    """How well a candidate ends: on the tonic, and with how long a note."""
    last = candidate.sounding[-1:]
    is_tonic = bool(last) and call.key is not None and last[0].top % 12 == call.key.tonic
    return is_tonic, last[0].duration if last else 0
