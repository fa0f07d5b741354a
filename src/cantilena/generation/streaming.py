"""Streaming: the notes of melodies as soon as they are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.generation.composition import Composition
from cantilena.generation.sampling import Samples
from cantilena.music import Note
from cantilena.tokenizers import Encoding, NotesEncoding


@dataclass(frozen=True)
class StreamChunk:
    """What is new since the chunk before.

    Args:
        length: ticks of each melody so far, including a primer that the result begins with; of the longest if they
            differ, as melodies of notes do on the way.
        notes: for each melody the notes (and written rests) that were completed, in the key of the result. The notes of
            all chunks together are those of the composition.
        compositions: the finished melodies, in the last chunk only.
        pickups: ticks of each melody before its first barline.
    """

    length: int
    notes: tuple[tuple[Note, ...], ...]
    compositions: tuple[Composition, ...] = ()
    pickups: tuple[int, ...] = ()


class NoteStream:
    """Decodes the tokens of one melody incrementally, and returns each note once it can no longer change.

    On the grid the last note may be held by the next token, and so may a written rest: they are kept back until
    something else begins, or until `rest_of`.

    Args:
        encoding: of the tokens.
        semitones: from the pitches of the tokens to those of the result.
        before: `(primer steps,)` tokens that the result begins with.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tokens = np.array([14, 1, 16, 1])
        >>> stream = NoteStream(GridEncoding(), semitones=2, before=tokens[:0])
        >>> [note.name for note in stream.complete(tokens[:2])], [note.name for note in stream.complete(tokens)]
        ([], ['D4'])
    """

    def __init__(self, encoding: Encoding, semitones: int, before: NDArray[np.int64]) -> None:
        self.before = before
        self._encoding, self._semitones = encoding, semitones
        self.length = 0  # ticks so far
        self._from, self._origin = 0, 0  # decoding restarts at this token and tick, where the last note begins
        self._last_onset = -1  # of the last note that was returned
        self._returned = 0

    def complete(self, new: NDArray[np.int64]) -> tuple[Note, ...]:
        """The notes of `(tokens so far,)` new tokens that are complete and were not returned before."""
        tokens = np.concatenate([self.before, new])
        decoded = self._encoding.decode(tokens[self._from :]).transposed(self._semitones)
        self.length = self._origin + decoded.length
        notes = [replace(note, onset=note.onset + self._origin) for note in decoded.notes]
        open_end = self._encoding.is_timed and bool(notes) and notes[-1].end >= self.length
        done = notes[:-1] if open_end else notes
        # Decoding may restart where a note begins: tokens before it do not change what follows.
        origin = max([self._origin, *(note.onset for note in notes if not note.is_rest)])
        self._from += self._tokens_until(origin - self._origin, tokens[self._from :])
        self._origin = origin
        new_notes = tuple(note for note in done if note.onset > self._last_onset)
        self._last_onset = max([self._last_onset, *(note.onset for note in new_notes)])
        self._returned += len(new_notes)
        return new_notes

    def _tokens_until(self, ticks: int, tokens: NDArray[np.int64]) -> int:
        """How many tokens come before the one that takes effect at a tick."""
        if isinstance(self._encoding, NotesEncoding):
            return int(np.searchsorted(self._encoding.ticks(tokens[None, :])[0], ticks))
        return ticks // self._encoding.ticks_per_step

    def rest_of(self, composition: Composition) -> tuple[Note, ...]:
        """The notes of the finished melody that were not returned before."""
        return composition.notes[self._returned :]


def stream_chunks(
    drawing: Iterator[Samples],
    streams: Sequence[NoteStream],
    every: int,
    finish: Callable[[Samples], Sequence[Composition]],
    pickups: Sequence[int],
) -> Iterator[StreamChunk]:
    """Chunks of melodies that are being drawn.

    Args:
        drawing: from `draw`, at least one token.
        streams: one for each melody.
        every: tokens between two chunks.
        finish: converts the samples of the last step to compositions.
        pickups: of the melodies.
    """
    chunk: StreamChunk | None = None
    for step, samples in enumerate(drawing, start=1):
        if chunk is not None:  # only now it is known not to be the last
            yield chunk
            chunk = None
        if step % every == 0:
            notes = tuple(stream.complete(row) for stream, row in zip(streams, samples.tokens, strict=True))
            chunk = StreamChunk(max(stream.length for stream in streams), notes, pickups=tuple(pickups))
    compositions = tuple(finish(samples))
    left = [stream.rest_of(one) for stream, one in zip(streams, compositions, strict=True)]
    before = ((),) * len(left) if chunk is None else chunk.notes
    notes = tuple((*some, *more) for some, more in zip(before, left, strict=True))
    yield StreamChunk(max(one.length for one in compositions), notes, compositions, tuple(pickups))
