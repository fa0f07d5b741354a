"""Notes and melodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from cantilena.errors import UsageError
from cantilena.music.chord import Chord
from cantilena.music.chord_track import ChordTrack
from cantilena.music.key import Key
from cantilena.music.meter import Meter, Tempo
from cantilena.music.pitch import Pitch
from cantilena.music.repeats import Repeats


@dataclass(frozen=True, slots=True)
class Note:
    """A note, a chord, or a written rest.

    Args:
        pitches: MIDI numbers, ascending and distinct; several are a chord, none is a written rest.
        onset: ticks from the start of the melody.
        duration: ticks, at least 1.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> Note((60, 64, 67), onset=0, duration=24).top
        67
    """

    pitches: tuple[int, ...]
    onset: int
    duration: int

    def __post_init__(self) -> None:
        if self.onset < 0 or self.duration < 1:
            raise UsageError(
                f"a note at tick {self.onset} for {self.duration} ticks",
                "the onset must be at least 0, the duration at least 1",
            )
        given = self.pitches
        if type(given) is tuple and len(given) == 1 and type(given[0]) is int and 0 <= given[0] <= 127:
            return  # single notes, of which there are millions, need no sorting
        ascending = tuple(sorted({int(pitch) for pitch in given}))
        if ascending and not (ascending[0] >= 0 and ascending[-1] <= 127):
            raise UsageError(f"pitches {ascending} are outside the MIDI range", "give 0 to 127")
        object.__setattr__(self, "pitches", ascending)

    @property
    def end(self) -> int:
        """The tick at which it ends."""
        return self.onset + self.duration

    @property
    def top(self) -> int:
        """The highest pitch; -1 for a rest."""
        return self.pitches[-1] if self.pitches else -1

    @property
    def is_rest(self) -> bool:
        """Whether it is a written rest."""
        return not self.pitches

    @property
    def is_chord(self) -> bool:
        """Whether it has several pitches."""
        return len(self.pitches) > 1

    @property
    def name(self) -> str:
        """`C4`, `C4+E4+G4` or `rest`."""
        return "+".join(Pitch(pitch).name for pitch in self.pitches) or "rest"


@dataclass(frozen=True, slots=True)
class Melody:
    """An immutable sequence of notes with key, meter, tempo, title and source.

    Silence is where no note sounds. A written rest (a `Note` without pitches) that begins where a note ends or while
    one sounds is redundant and dropped, so that equal music compares equal.

    Args:
        notes: in any order; stored sorted by onset, then by pitch.
        key: the key, None if unknown.
        meter: the time signature.
        tempo: the tempo map.
        pickup: ticks before the first barline.
        length: ticks, at least the end of the last note.
        title: the title.
        source: where it comes from (a file, a collection and number).
        chords: the chord symbols; a tuple of (tick, chord) becomes a `ChordTrack`.
        repeats: its sections as written and the order in which they are played.
        phrase_ends: ticks at which a phrase ends by a mark of the score, ascending.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24), (62, 24), (64, 48)])
        >>> tune.length, tune.transposed(2).notes[0].name, len(tune.until(48).notes)
        (96, 'D4', 2)
    """

    notes: tuple[Note, ...]
    key: Key | None = None
    meter: Meter = field(default_factory=Meter)
    tempo: Tempo = field(default_factory=Tempo)
    pickup: int = 0
    length: int = 0
    title: str = ""
    source: str = ""
    chords: ChordTrack = field(default_factory=ChordTrack)
    repeats: Repeats = field(default_factory=Repeats)
    phrase_ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(self.notes, key=lambda note: (note.onset, note.pitches, note.duration))
        object.__setattr__(self, "notes", tuple(_without_redundant_rests(ordered)))
        object.__setattr__(self, "chords", _chord_track(self.chords))
        last = max((note.end for note in ordered), default=0)
        object.__setattr__(self, "length", max(self.length, last))

    @classmethod
    def from_pitches(cls, pairs: Iterable[tuple[int | tuple[int, ...] | None, int]], **fields: object) -> Melody:
        """Build a melody from consecutive (pitch, duration) pairs.

        Args:
            pairs: a MIDI number, a tuple of them for a chord, or None for silence; and a duration in ticks.
            fields: other fields of `Melody`.
        """
        notes, tick = [], 0
        for pitch, duration in pairs:
            if pitch is not None:
                notes.append(Note(pitch if isinstance(pitch, tuple) else (pitch,), tick, duration))
            tick += duration
        return replace(cls(tuple(notes), length=tick), **fields)  # type: ignore[arg-type]

    @property
    def sounding(self) -> tuple[Note, ...]:
        """All notes but the written rests."""
        return tuple(note for note in self.notes if note.pitches)

    @property
    def is_monophonic(self) -> bool:
        """Whether no two notes sound at once."""
        end = 0
        for note in self.sounding:
            if note.is_chord or note.onset < end:
                return False
            end = note.end
        return True

    @property
    def seconds(self) -> float:
        """Length in seconds, by the tempo map."""
        return self.tempo.seconds(self.length)

    @property
    def bars(self) -> int:
        """Number of bars, incomplete ones and a pickup included."""
        return sum(1 for _ in self.bar_starts())

    def bar_starts(self) -> Iterator[int]:
        """The ticks at which bars begin, the first at 0."""
        return self.meter.bar_starts(self.length, self.pickup)

    def transposed(self, semitones: int) -> Melody:
        """The melody and its key `semitones` higher."""
        notes = tuple(
            Note(tuple(pitch + semitones for pitch in note.pitches), note.onset, note.duration) for note in self.notes
        )
        key = self.key.transposed(semitones) if self.key else None
        return replace(self, notes=notes, key=key, chords=self.chords.transposed(semitones))

    def until(self, tick: int) -> Self:
        """The notes that begin before a tick, cut off there."""
        return self.between(0, tick)

    def between(self, start: int, end: int) -> Self:
        """The notes that begin in [start, end), moved by -start and cut off at the end."""
        notes = tuple(
            Note(note.pitches, note.onset - start, min(note.end, end) - note.onset)
            for note in self.notes
            if start <= note.onset < end
        )
        pickup = (self.pickup - start) % self.meter.ticks_per_bar
        length = max(min(self.length, end) - start, 0)
        return replace(
            self,
            notes=notes,
            pickup=pickup,
            tempo=_tempo_from(self.tempo, start),
            length=length,
            chords=self.chords.between(start, end),
            repeats=self.repeats.between(start, end),
            phrase_ends=tuple(tick - start for tick in self.phrase_ends if start < tick <= end),
        )

    def then(self, other: Melody) -> Melody:
        """This melody followed by another, in this one's key, meter and tempo."""
        moved = tuple(Note(note.pitches, note.onset + self.length, note.duration) for note in other.notes)
        return replace(
            self,
            notes=self.notes + moved,
            length=self.length + other.length,
            chords=self.chords.then(other.chords, self.length),
            repeats=self.repeats.then(other.repeats, self.length),
            phrase_ends=self.phrase_ends + tuple(tick + self.length for tick in other.phrase_ends),
        )

    def unfolded(self) -> Melody:
        """The melody as it is played: with repeats, endings and jumps.

        Examples:
            >>> from cantilena.music import Repeats, Section
            >>> tune = Melody.from_pitches([(60, 24), (62, 24)], repeats=Repeats((Section(0, 48),), (0, 0)))
            >>> [note.name for note in tune.unfolded().notes], tune.unfolded().length
            (['C4', 'D4', 'C4', 'D4'], 96)
        """
        if not self.repeats.order or self.repeats.order == tuple(range(len(self.repeats.sections))):
            return self
        parts = {turn: self.between(one.start, one.end) for turn, one in enumerate(self.repeats.sections)}
        notes: list[Note] = []
        changes: list[tuple[int, Chord]] = []
        phrase_ends: list[int] = []
        tick = 0
        for part in (parts[turn] for turn in self.repeats.order):
            notes += [Note(note.pitches, note.onset + tick, note.duration) for note in part.notes]
            changes += part.chords.between(0, part.length).moved(tick)
            phrase_ends += [at + tick for at in part.phrase_ends]
            tick += part.length
        return replace(
            parts[self.repeats.order[0]],
            notes=tuple(notes),
            length=tick,
            chords=ChordTrack(tuple(changes)),
            repeats=Repeats(),
            phrase_ends=tuple(phrase_ends),
        )


def _chord_track(chords: Sequence[tuple[int, Chord]]) -> ChordTrack:
    return chords if isinstance(chords, ChordTrack) else ChordTrack(tuple(chords))


def _without_redundant_rests(ordered: list[Note]) -> Iterator[Note]:
    sounds_until = -1
    for note in ordered:
        if note.pitches:
            sounds_until = max(sounds_until, note.end)
        elif note.onset <= sounds_until:
            continue
        yield note


def _tempo_from(tempo: Tempo, start: int) -> Tempo:
    if start == 0:
        return tempo
    before = [rate for tick, rate in tempo.changes if tick <= start]
    after = [(tick - start, rate) for tick, rate in tempo.changes if tick > start]
    return Tempo(((0, before[-1]), *after))
