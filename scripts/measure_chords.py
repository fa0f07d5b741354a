"""What it is worth to tell a model the chords of melodies that it did not learn from: the tables in docs/harmony.md.

    python scripts/measure_chords.py MODEL CORPUS [CORPUS ...] [--part valid|test] [--analyses FOLDER SCORES]
    python scripts/measure_chords.py MODEL CORPUS [CORPUS ...] --compose 3 [--style S] [--temperature T] [--search N]

For each held-out melody that has chords the model predicts the notes without them, with them, and with those of another
melody of the same mode and meter in the same key. Lengths are told, other conditions and forms are not. A last row has
the chords of people's analyses (`check_chords.py`) for the songs of the first corpus that they are of.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, normalize_key, open_corpus
from cantilena.generation import SamplingOptions, load
from cantilena.io import read_score
from cantilena.metrics import bootstrap_ratio
from cantilena.models import LEAD, Bundle, Sequences, chord_rows, find_bundle, likelihood, padded_chords
from cantilena.music import QUALITIES, Chord, ChordTrack, Melody, Meter
from cantilena.rules import Context
from cantilena.rules.harmony import chord_tones, non_chord_tones, over_chords, strong_beats
from cantilena.runtime import generator
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.data import encode_pieces, role_of
from cantilena.workflows.evaluate.melody_sets import GRID
from check_chords import UNKNOWN, labels_of

_BARS = 16
_RULES = "cantilena:chord_tones+cantilena:non_chord_tones"


def main() -> None:
    """Measure each corpus and print a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a bundle")
    parser.add_argument("corpora", nargs="+", help="corpora whose melodies have chords, by name or as files")
    parser.add_argument("--part", default="valid", choices=["valid", "test"])
    parser.add_argument("--analyses", nargs=2, type=Path, metavar=("FOLDER", "SCORES"), help="people's analyses")
    parser.add_argument("--compose", type=int, default=0, metavar="N", help="melodies over the chords of each lead")
    parser.add_argument("--style", default="", help="of these melodies")
    parser.add_argument("--temperature", type=float, default=1.0, help="the same")
    parser.add_argument("--search", type=int, default=1, help="candidates for each, weighed by the rules for chords")
    given = parser.parse_args()
    if given.compose:
        for name in given.corpora:
            tell_composed(given, open_corpus(name).melodies(given.part))
        return
    bundle = Bundle.load(find_bundle(given.model))
    assert isinstance(bundle.encoding, NotesEncoding)
    print("| | melodies | nats a note without chords | with their chords | with others' chords | gain | loss |")
    print("|---|---|---|---|---|---|---|")
    corpora = [open_corpus(name) for name in given.corpora]
    for corpus in corpora:
        print(row(bundle, corpus.manifest.name, [m for m in corpus.melodies(given.part) if m.chords]))
    if given.analyses is not None:
        print(row(bundle, f"{corpora[0].manifest.name}, people's analyses", analysed(corpora[0], *given.analyses)))


def tell_composed(given: argparse.Namespace, melodies: Sequence[Melody]) -> None:
    """Print the table of melodies that are composed over chords."""
    leads = [one for one in melodies if one.chords and one.key and role_of(one) == LEAD and one.meter == Meter()]
    bar = Meter().ticks_per_bar
    people = [one.between(one.pickup, min(one.length, one.pickup + _BARS * bar)) for one in leads]
    people = [one for one in people if one.length >= 2 * bar]
    options = {"style": given.style, "search": given.search, "range": "C4-A5", "meter": "4/4"}
    options |= {"rules": _RULES} if given.search > 1 else {}
    composer, sampling, made = load(given.model), SamplingOptions(temperature=given.temperature), []
    for number, like in enumerate(people):
        told = {"chords": like.chords, "bars": -(-like.length // bar), "key": like.key, "sampling": sampling, **options}
        made += composer.compose_many(given.compose, seed=number, **told)
    print("| | chord tones on strong beats | notes in the chord | other notes that resolve |\n|---|---|---|---|")
    print(f"| people's | {over_chord_cells(people)} |\n| composed | {over_chord_cells(made)} |")


def over_chord_cells(melodies: Sequence[Melody]) -> str:
    """Shares of notes over the chords of each, with 95 % intervals over melodies."""
    counts = []
    for melody in melodies:
        own = melody.between(melody.pickup, melody.length)
        line = GRID.line(GRID.encode(GRID.fit(own).melody)[None]).with_chords([own.chords], GRID.ticks_per_step)
        tones, over = chord_tones(line), over_chords(line)
        strong, others = strong_beats(line, Context(meter=own.meter)), non_chord_tones(line).resolved
        pairs = ((tones & strong, over & strong), (tones, over), (others, np.ones_like(others)))
        counts.append([(part.sum(), whole.sum()) for part, whole in pairs])
    cells = []
    for part, whole in np.array(counts, dtype=np.float64).transpose(1, 2, 0):
        share = bootstrap_ratio(part, whole, None, generator(1, "chords"))
        cells.append(f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f})")
    return " | ".join(cells)


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
