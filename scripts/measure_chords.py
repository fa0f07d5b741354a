"""What it is worth to tell a model the chords of melodies that it did not learn from: the table in docs/harmony.md.

    python scripts/measure_chords.py MODEL CORPUS [CORPUS ...] [--part valid|test] [--analyses FOLDER SCORES]

For each held-out melody that has chords the model predicts the notes without them, with them, and with those of another
melody of the same mode and meter in the same key. Lengths are told, other conditions and forms are not. A last row has
the chords of people's analyses (`check_chords.py`) for the songs of the first corpus that they are of.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, normalize_key, open_corpus
from cantilena.io import read_score
from cantilena.metrics import bootstrap_ratio
from cantilena.models import Bundle, Sequences, chord_rows, find_bundle, likelihood, padded_chords
from cantilena.music import QUALITIES, Chord, ChordTrack, Melody
from cantilena.runtime import generator
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.data import encode_pieces
from check_chords import UNKNOWN, labels_of


def main() -> None:
    """Measure each corpus and print a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a bundle")
    parser.add_argument("corpora", nargs="+", help="corpora whose melodies have chords, by name or as files")
    parser.add_argument("--part", default="valid", choices=["valid", "test"])
    parser.add_argument("--analyses", nargs=2, type=Path, metavar=("FOLDER", "SCORES"), help="people's analyses")
    given = parser.parse_args()
    bundle = Bundle.load(find_bundle(given.model))
    assert isinstance(bundle.encoding, NotesEncoding)
    print("| | melodies | nats a note without chords | with their chords | with others' chords | gain | loss |")
    print("|---|---|---|---|---|---|---|")
    corpora = [open_corpus(name) for name in given.corpora]
    for corpus in corpora:
        print(row(bundle, corpus.manifest.name, [m for m in corpus.melodies(given.part) if m.chords]))
    if given.analyses is not None:
        print(row(bundle, f"{corpora[0].manifest.name}, people's analyses", analysed(corpora[0], *given.analyses)))


def analysed(corpus: Corpus, folder: Path, scores: Path) -> list[Melody]:
    """The melodies of a corpus that people analysed, with the chords of the analyses."""
    melodies = {melody.source.partition("#")[0]: melody for melody in corpus}
    found = []
    for line in (folder / "index.tsv").read_text(encoding="utf-8").splitlines():
        analysis, _, file = line.partition("\t")
        melody = next((one for source, one in melodies.items() if source.endswith(file)), None)
        if melody is None:
            continue
        labels = labels_of(folder / analysis, read_score(scores / file)[0])
        chords = {
            label.tick: Chord(label.root, QUALITIES[label.quality])
            for label in labels
            if label.root != UNKNOWN and label.quality != UNKNOWN and label.tick >= 0
        }
        found.append(replace(melody, chords=ChordTrack(tuple(sorted(chords.items(), key=lambda one: one[0])))))
    return found


def row(bundle: Bundle, name: str, melodies: list[Melody]) -> str:
    """A row of the table."""
    encoding = bundle.encoding
    assert isinstance(encoding, NotesEncoding)
    plain = [normalize_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
    pieces = encode_pieces(encoding, [encoding.fit(melody).melody for melody in plain])
    own, others = [melody.chords for melody in pieces.melodies], exchanged(pieces.melodies)
    model = bundle.model()
    found = {}
    for kind, tracks in (("none", None), ("own", own), ("others", others)):
        found[kind] = nats(model, pieces.sequences, tracks)
    notes = np.array([len(melody.sounding) for melody in pieces.melodies], dtype=np.float64)
    cells = [f"{found[kind].sum() / notes.sum():.3f}" for kind in ("none", "own", "others")]
    for kind, sign in (("own", -1), ("others", 1)):
        change = bootstrap_ratio(sign * (found[kind] - found["none"]), notes, None, generator(1, "chords"))
        cells.append(f"{change.value:.3f} ({change.low:.3f} to {change.high:.3f})")
    return f"| {name} | {len(notes)} | {' | '.join(cells)} |"


def nats(model: object, pieces: Sequences, tracks: list[ChordTrack] | None) -> NDArray[np.float64]:
    """`(pieces,)` nats with some chords, and without other conditions."""
    bars = pieces.bars.without_conditions()
    if tracks is not None:
        bars = replace(bars, chords=padded_chords([chord_rows(track) for track in tracks]))
    told = Sequences(pieces.tokens, bars, pieces.clocks)
    return likelihood(model, told, conditioned=True).nats  # type: ignore[arg-type]


def exchanged(melodies: tuple[Melody, ...]) -> list[ChordTrack]:
    """The chords of another melody of the same mode and meter for each, repeated to fill it."""
    groups = defaultdict(list)
    for number, melody in enumerate(melodies):
        groups[melody.key and melody.key.mode, str(melody.meter)].append(number)
    tracks = [ChordTrack()] * len(melodies)
    for group in groups.values():
        half = len(group) // 2  # voices of one piece are neighbours
        for number, other in zip(group, [*group[half:], *group[:half]], strict=True):
            mine, source = melodies[number], melodies[other]
            bar = mine.meter.ticks_per_bar
            length = max(source.length // bar, 1) * bar
            turns = range(0, mine.length, length)
            changes = {at + tick: chord for at in turns for tick, chord in source.chords.between(0, length)}
            tracks[number] = ChordTrack(tuple(changes.items()))
    return tracks


if __name__ == "__main__":
    main()
