"""The melodies of a run that people listen to: thirty seconds each, four files each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cantilena.errors import CorpusError, InputError
from cantilena.generation import is_complete, write_melodies
from cantilena.music import Melody, Tempo
from cantilena.runtime import Failure, bounded_map, progress
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import Pieces
from cantilena.workflows.evaluate.systems import Tokens

SECONDS = 30.0
"""Length of each melody, as in the paper."""


def decoded(tokens: Tokens, encoding: Encoding, title: str) -> list[Melody]:
    """Each row of tokens as a melody at 120 quarter notes a minute."""
    melodies = [encoding.decode(row, tempo=Tempo.constant(120)) for row in tokens]
    return [replace(melody, title=f"{title} {number}") for number, melody in enumerate(melodies, start=1)]


def human_melodies(pieces: Pieces, encoding: Encoding, count: int, rng: np.random.Generator) -> list[Melody]:
    """Thirty seconds from the start of held-out pieces, each another, in the encoding as the models see them.

    Pieces that last as long come first; where there are too few, shorter ones follow, the longest first.

    Raises:
        CorpusError: there is none.
    """
    steps = steps_of_melody(encoding)
    order = rng.permutation(len(pieces))
    long = [index for index in order if len(pieces.sequences.tokens[index]) >= steps]
    short = sorted(set(range(len(pieces))) - set(long), key=lambda index: -len(pieces.sequences.tokens[index]))
    chosen = [*long, *short][:count]
    if not chosen:
        raise CorpusError("there is no held-out melody to listen to", "give a larger corpus")
    melodies = []
    for index in chosen:
        piece = pieces.melodies[index]
        heard = encoding.decode(
            pieces.sequences.tokens[index][:steps], key=piece.key, meter=piece.meter, tempo=Tempo.constant(120)
        )
        melodies.append(replace(heard, title=piece.title, source=piece.source, pickup=piece.pickup))
    return melodies


def steps_of_melody(encoding: Encoding) -> int:
    """Tokens of a melody to listen to: thirty seconds on the grid, the paper's 125 notes and chords without time."""
    if not encoding.tells_time:
        return 125
    return Tempo.constant(120).ticks(SECONDS) // encoding.step_ticks


def write_all(sets: Sequence[tuple[Path, Sequence[Melody]]]) -> None:
    """Write sets of melodies into their folders, several at once; complete folders are left as they are.

    Raises:
        InputError: the disk said no, or a melody cannot be written.
    """
    missing = [(folder, list(melodies)) for folder, melodies in sets if not is_complete(folder)]
    with progress("Writing melodies", total=len(missing), unit="systems") as bar:
        for number, outcome in bounded_map(_write, missing, seconds=_TIME_LIMIT, memory=_MEMORY_LIMIT):
            if isinstance(outcome, Failure):
                raise InputError(f"cannot write {missing[number][0]}: {outcome.reason}", outcome.hint or _DISK_HINT)
            bar.advance()


_TIME_LIMIT = 3600.0
"""Seconds that one system's melodies may take."""

_MEMORY_LIMIT = 4 * 2**30
"""Bytes that writing one system's melodies may take."""

_DISK_HINT = "check the free space and the rights of that folder, then --resume"


def _write(job: tuple[Path, list[Melody]]) -> None:
    folder, melodies = job
    write_melodies(melodies, folder, force=True, quiet=True)
