"""The events encoding, the paper's section VII: one token a note or chord, no time.

Notes are named with their octave (`C4`), chords by their pitch classes in normal order (`0.4.7`) or by their full
pitches (`C4+E4+G4`). The vocabulary is what a corpus holds. When decoded each event lasts an eighth, 0.25 s at the
paper's pace.

Chords by their pitch classes: normal order, and how a chord in normal order sounds.
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
from cantilena.tokenizers.protocol import Fit, Tokens, checked


def normal_order(pitches: Iterable[int]) -> tuple[int, ...]:
    """The pitch classes of some pitches in normal order.

    Of the ways to write them going up, the one that spans least; among equals the one whose notes lie closest to the
    first, compared from the second note on; among equals the one that begins lowest. A. Forte, The Structure of Atonal
    Music, Yale 1973, pages 3-5.

    Args:
        pitches: MIDI numbers or pitch classes, any order, repeats allowed.

    Example:
        >>> normal_order((67, 52, 60)), normal_order((62, 70, 77))
        ((0, 4, 7), (10, 2, 5))
    """
    classes = sorted({pitch % 12 for pitch in pitches})
    if not classes:
        return ()
    rotations = [classes[start:] + classes[:start] for start in range(len(classes))]

    def spread(order: list[int]) -> tuple[int, list[int], int]:
        above = [(pitch_class - order[0]) % 12 for pitch_class in order]
        return above[-1], above, order[0]

    best = min(rotations, key=spread)
    return tuple(best)


def sounded(order: tuple[int, ...]) -> tuple[int, ...]:
    """The pitches of a chord given in normal order: the first in octave 4, each next the nearest above.

    A chord of one pitch class is an octave; its top note stays in octave 4.

    Example:
        >>> sounded((10, 2, 5)), sounded((0,))
        ((70, 74, 77), (48, 60))
    """
    if len(order) == 1:
        return 48 + order[0], 60 + order[0]
    pitches: list[int] = []
    for pitch_class in order:
        pitches.append(pitches[-1] + (pitch_class - pitches[-1]) % 12 if pitches else 60 + pitch_class)
    return tuple(pitches)


Chords = Literal["normal-order", "full"]
"""How chords are named: by pitch classes in normal order, or by every pitch."""

_OCTAVES_NEAREST_FIRST = sorted(range(-120, 121, 12), key=lambda shift: (abs(shift), shift))


@dataclass(frozen=True)
class EventsEncoding:
    """One token a note or chord, in order.

    Args:
        vocabulary: the tokens' names: notes as `C#4`, chords as `0.4.7` or, with `chords="full"`, `C4+E4+G4`.
        chords: how chords are named, `normal-order` or `full`.

    Raises:
        UsageError: no tokens, a name twice, or a name that is not written as this encoding writes it.

    Example:
        >>> tune = Melody.of([(60, 24), ((64, 67, 72), 24), (62, 12)])
        >>> events = EventsEncoding.learned_from([tune])
        >>> events.vocabulary, events.encode(tune).tolist()
        (('C4', 'D4', '0.4.7'), [0, 2, 1])
        >>> [note.name for note in events.decode([2, 0]).notes]
        ['C4+E4+G4', 'C4']
    """

    vocabulary: tuple[str, ...]
    chords: Chords = "normal-order"
    name: ClassVar[str] = "events"
    tells_time: ClassVar[bool] = False
    step_ticks: ClassVar[int] = 12

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        if self.chords not in ("normal-order", "full"):
            raise UsageError(f"'{self.chords}' is not a way to name chords", "choose normal-order or full")
        if not self.vocabulary:
            raise UsageError("an events encoding without tokens", "learn it from melodies that hold notes")
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise UsageError("a token occurs twice in the vocabulary", "name each note and chord once")
        _ = self._sounds  # names that say nothing are refused here, not when they are first decoded

    @classmethod
    def learned_from(cls, melodies: Iterable[Melody], chords: Chords = "normal-order") -> EventsEncoding:
        """The encoding whose vocabulary is all notes and chords of some melodies: notes by pitch, then chords.

        Raises:
            UsageError: no note sounds in any of them.
        """
        heard = {note.pitches for melody in melodies for note in melody.sounding}
        notes = sorted(pitches for pitches in heard if len(pitches) == 1)
        names = {_name(pitches, chords): pitches for pitches in heard if len(pitches) > 1}
        ordered = sorted(names, key=lambda name: _pitches(name, chords))
        return cls((*(_name(pitches, chords) for pitches in notes), *ordered), chords)

    def description(self) -> dict[str, Any]:
        """What `encoding_from` needs to build this encoding again."""
        return {"name": self.name, "chords": self.chords, "vocabulary": list(self.vocabulary)}

    def fit(self, melody: Melody) -> Fit:
        """The notes and chords of a melody that are in the vocabulary, an eighth each, at 120 quarters a minute.

        A note or (with full names) chord that is not there is moved to the nearest octave in which it is, the lower
        of two; where there is none it is dropped. The counts are of single notes, three for a triad; one event that
        moved in time counts once as rounded. Rests, which events cannot say, are not counted.
        """
        step, kept = self.step_ticks, 0
        folded = rounded = dropped = 0
        for note, token in self._said(melody):
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
        """`(steps,)` tokens, one for each note or chord that is in the vocabulary, in some octave."""
        return np.array([token for _, token in self._said(melody) if token is not None], dtype=np.int64)

    def decode(
        self,
        tokens: Sequence[int] | Tokens,
        *,
        key: Key | None = None,
        meter: Meter | None = None,
        tempo: Tempo | None = None,
    ) -> Melody:
        """The melody that `(steps,)` tokens say: one note or chord after the other, an eighth each.

        A chord in normal order sounds with its first pitch class in octave 4 and each next one the nearest above.
        """
        step = self.step_ticks
        indices = checked(tokens, len(self.vocabulary), 1).tolist()
        notes = tuple(Note(self._sounds[token], place * step, step) for place, token in enumerate(indices))
        return Melody(notes, key=key, meter=meter or Meter(), tempo=tempo or Tempo(), length=len(notes) * step)

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """What sounds at each step of `(melodies, steps)` tokens; `length` `(melodies,)` where rows are padded."""
        indices = checked(tokens, len(self.vocabulary), 2)
        tops = np.array([pitches[-1] for pitches in self._sounds])
        classes = np.array([sum(1 << pitch_class for pitch_class in {p % 12 for p in ps}) for ps in self._sounds])
        return Line.of(np.full(indices.shape, ON), tops[indices], classes[indices], length)

    @cached_property
    def _sounds(self) -> tuple[tuple[int, ...], ...]:
        """The pitches of each token."""
        return tuple(_pitches(name, self.chords) for name in self.vocabulary)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: token for token, name in enumerate(self.vocabulary)}

    def _said(self, melody: Melody) -> Iterator[tuple[Note, int | None]]:
        """Each sounding note or chord and its token; None where there is none."""
        for note in melody.sounding:
            token = self._index.get(_name(note.pitches, self.chords))
            yield note, self._in_another_octave(note.pitches) if token is None else token

    def _in_another_octave(self, pitches: tuple[int, ...]) -> int | None:
        """The token that sounds the same some octaves away, the nearest; None where there is none."""
        if len(pitches) > 1 and self.chords == "normal-order":
            return None  # normal order knows no octaves: it is not there in any
        for shift in _OCTAVES_NEAREST_FIRST:
            if pitches[0] + shift >= 0 and pitches[-1] + shift <= 127:
                token = self._index.get(_name(tuple(pitch + shift for pitch in pitches), self.chords))
                if token is not None:
                    return token
        return None


def _name(pitches: tuple[int, ...], chords: Chords) -> str:
    if len(pitches) > 1 and chords == "normal-order":
        return ".".join(map(str, normal_order(pitches)))
    return "+".join(Pitch(pitch).name for pitch in pitches)


def _pitches(name: str, chords: Chords) -> tuple[int, ...]:
    """The pitches of a token's name; a name must be written as `_name` writes it, or encoding would not find it."""
    if chords == "normal-order" and name[:1].isdecimal():
        pitches = sounded(tuple(int(part) for part in name.split(".") if part in _PITCH_CLASSES))
    else:
        pitches = tuple(_NAMED[part] for part in name.split("+") if part in _NAMED)
    if list(pitches) != sorted(set(pitches)) or not pitches or _name(pitches, chords) != name:
        raise UsageError(
            f"'{name}' is not the name of a note or chord here", f"{chords} names are like {_LIKE[chords]}"
        )
    return pitches


_PITCH_CLASSES = frozenset(map(str, range(12)))
_NAMED = {Pitch(number).name: number for number in range(128)}
_LIKE: dict[str, str] = {"normal-order": "C4, F#5, 0.4.7", "full": "C4, F#5, C4+E4+G4"}
