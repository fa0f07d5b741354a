"""The events encoding, the paper's section VII: one token a note or chord, without time.

Notes are named with their octave (`C4`), chords by their pitch classes in normal order (`0.4.7`) or by their pitches
(`C4+E4+G4`). The vocabulary comes from a corpus. Decoded events last an eighth each, 0.25 s at the paper's tempo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import ON, Key, Line, Melody, Meter, Note, Pitch, Tempo
from cantilena.tokenizers.protocol import Fit, Tokens, check_tokens

Chords = Literal["normal-order", "full"]
"""How chords are named: by pitch classes in normal order, or by all pitches."""

_OCTAVES_NEAREST_FIRST = sorted(range(-120, 121, 12), key=lambda shift: (abs(shift), shift))


@dataclass(frozen=True)
class EventsEncoding:
    """One token a note or chord.

    Args:
        vocabulary: the names of the tokens: notes as `C#4`, chords as `0.4.7` or, with `chords="full"`, `C4+E4+G4`.
        chords: how chords are named, `normal-order` or `full`.

    Raises:
        UsageError: the vocabulary is empty, holds a name twice, or a name that this encoding would write otherwise.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24), ((64, 67, 72), 24), (62, 12)])
        >>> events = EventsEncoding.learned_from([tune])
        >>> events.vocabulary, events.encode(tune).tolist()
        (('C4', 'D4', '0.4.7'), [0, 2, 1])
        >>> [note.name for note in events.decode([2, 0]).notes]
        ['C4+E4+G4', 'C4']
    """

    vocabulary: tuple[str, ...]
    chords: Chords = "normal-order"
    name: ClassVar[str] = "events"
    is_timed: ClassVar[bool] = False
    has_rhythm: ClassVar[bool] = False
    ticks_per_step: ClassVar[int] = 12
    ticks_per_count: ClassVar[int] = 12

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        if self.chords not in ("normal-order", "full"):
            raise UsageError(f"'{self.chords}' is not a way to name chords", "choose normal-order or full")
        if not self.vocabulary:
            raise UsageError("the vocabulary is empty", "learn it from melodies that hold notes")
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise UsageError("a token occurs twice in the vocabulary", "name each note and chord once")
        _ = self._pitches_of  # refuses invalid names

    @classmethod
    def learned_from(cls, melodies: Iterable[Melody], chords: Chords = "normal-order") -> EventsEncoding:
        """Build the vocabulary from all notes and chords of some melodies: notes by pitch, then chords.

        Raises:
            UsageError: none of the melodies holds a note.
        """
        found = {note.pitches for melody in melodies for note in melody.sounding}
        notes = sorted(pitches for pitches in found if len(pitches) == 1)
        names = {_name(pitches, chords) for pitches in found if len(pitches) > 1}
        ordered = sorted(names, key=lambda name: _pitches(name, chords))
        return cls((*(_name(pitches, chords) for pitches in notes), *ordered), chords)

    def description(self) -> dict[str, Any]:
        """The JSON values from which `encoding_from` builds this encoding again."""
        return {"name": self.name, "chords": self.chords, "vocabulary": list(self.vocabulary)}

    def fit(self, melody: Melody) -> Fit:
        """The notes and chords of a melody that are in the vocabulary, an eighth each, at 120 quarter notes a minute.

        A note or (with full names) chord outside the vocabulary is moved to the nearest octave, the lower of two, in
        which it is inside; if there is none it is dropped. The counts are of single notes, three for a triad; an event
        that moved in time counts once as rounded. Rests are not counted.
        """
        step, kept = self.ticks_per_step, 0
        folded = rounded = dropped = 0
        for note, token in self._events(melody):
            if token is None:
                dropped += len(note.pitches)
                continue
            folded += len(note.pitches) if _name(note.pitches, self.chords) != self.vocabulary[token] else 0
            rounded += (note.onset, note.end) != (kept * step, (kept + 1) * step)
            kept += 1
        fitted = self.decode(self.encode(melody), key=melody.key, meter=melody.meter)
        named = replace(fitted, title=melody.title, source=melody.source)
        return Fit(named, folded=folded, rounded=rounded, dropped=dropped)

    def encode(self, melody: Melody) -> Tokens:
        """`(steps,)` tokens, one for each note or chord of `fit(melody)`."""
        return np.array([token for _, token in self._events(melody) if token is not None], dtype=np.int64)

    def decode(
        self,
        tokens: Sequence[int] | Tokens,
        *,
        key: Key | None = None,
        meter: Meter | None = None,
        tempo: Tempo | None = None,
    ) -> Melody:
        """The melody of `(steps,)` tokens: an eighth each, chords in normal order as `chord_pitches` has them."""
        step = self.ticks_per_step
        indices = check_tokens(tokens, len(self.vocabulary), 1).tolist()
        notes = tuple(Note(self._pitches_of[token], place * step, step) for place, token in enumerate(indices))
        return Melody(notes, key=key, meter=meter or Meter(), tempo=tempo or Tempo(), length=len(notes) * step)

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """The line of `(melodies, steps)` tokens; `length` is `(melodies,)` if rows are padded."""
        indices = check_tokens(tokens, len(self.vocabulary), 2)
        tops = np.array([pitches[-1] for pitches in self._pitches_of])
        classes = np.array([sum(1 << pitch_class for pitch_class in {p % 12 for p in ps}) for ps in self._pitches_of])
        return Line.from_events(np.full(indices.shape, ON), tops[indices], classes[indices], length)

    @cached_property
    def _pitches_of(self) -> tuple[tuple[int, ...], ...]:
        """The pitches of each token."""
        return tuple(_pitches(name, self.chords) for name in self.vocabulary)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: token for token, name in enumerate(self.vocabulary)}

    def _events(self, melody: Melody) -> Iterator[tuple[Note, int | None]]:
        """Each sounding note or chord, and its token or None."""
        for note in melody.sounding:
            yield note, self._nearest_token(note.pitches)

    def _nearest_token(self, pitches: tuple[int, ...]) -> int | None:
        """The token of some pitches in the nearest octave that has one."""
        if len(pitches) > 1 and self.chords == "normal-order":
            return self._index.get(_name(pitches, self.chords))  # normal order has no octaves
        for shift in _OCTAVES_NEAREST_FIRST:
            if pitches[0] + shift >= 0 and pitches[-1] + shift <= 127:
                token = self._index.get(_name(tuple(pitch + shift for pitch in pitches), self.chords))
                if token is not None:
                    return token
        return None


def normal_order(pitches: Iterable[int]) -> tuple[int, ...]:
    """The pitch classes of some pitches in normal order.

    Of the rotations of the ascending pitch classes, the one with the smallest span; among equals the one whose notes
    lie closest to the first, compared from the second note on; among equals the one with the lowest first pitch class
    (A. Forte, The Structure of Atonal Music, Yale 1973, pages 3-5).

    Args:
        pitches: MIDI numbers or pitch classes, any order, repeats allowed.

    Examples:
        >>> normal_order((67, 52, 60)), normal_order((62, 70, 77))
        ((0, 4, 7), (10, 2, 5))
    """
    classes = sorted({pitch % 12 for pitch in pitches})
    rotations = [classes[start:] + classes[:start] for start in range(len(classes))]

    def spread(order: list[int]) -> tuple[int, list[int], int]:
        above = [(pitch_class - order[0]) % 12 for pitch_class in order]
        return above[-1], above, order[0]

    if not rotations:
        return ()
    best = min(rotations, key=spread)
    return tuple(best)


def chord_pitches(order: tuple[int, ...]) -> tuple[int, ...]:
    """The pitches of a chord in normal order: the first in octave 4, each next one the nearest above.

    A chord of one pitch class is an octave whose top note is in octave 4.

    Examples:
        >>> chord_pitches((10, 2, 5)), chord_pitches((0,))
        ((70, 74, 77), (48, 60))
    """
    if len(order) == 1:
        return 48 + order[0], 60 + order[0]
    pitches: list[int] = []
    for pitch_class in order:
        pitches.append(pitches[-1] + (pitch_class - pitches[-1]) % 12 if pitches else 60 + pitch_class)
    return tuple(pitches)


def _name(pitches: tuple[int, ...], chords: Chords) -> str:
    if len(pitches) > 1 and chords == "normal-order":
        return ".".join(map(str, normal_order(pitches)))
    return "+".join(Pitch(pitch).name for pitch in pitches)


def _pitches(name: str, chords: Chords) -> tuple[int, ...]:
    """The pitches of a token's name, which must be spelled as `_name` spells it: encoding looks it up so."""
    if chords == "normal-order" and name[:1].isdecimal():
        pitches = chord_pitches(tuple(int(part) for part in name.split(".") if part in _PITCH_CLASSES))
    else:
        pitches = tuple(_NAMED[part] for part in name.split("+") if part in _NAMED)
    if list(pitches) != sorted(set(pitches)) or not pitches or _name(pitches, chords) != name:
        raise UsageError(
            f"'{name}' is not the name of a note or chord here", f"{chords} names look like {_LIKE[chords]}"
        )
    return pitches


_PITCH_CLASSES = frozenset(map(str, range(12)))
_NAMED = {Pitch(number).name: number for number in range(128)}
_LIKE: dict[str, str] = {"normal-order": "C4, F#5, 0.4.7", "full": "C4, F#5, C4+E4+G4"}
