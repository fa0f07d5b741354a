"""The built-in corpora: valid melodies with provenance, equal to their sources."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import BUILTINS, SPLITS, Corpus, load_builtin, near_duplicates, open_corpus
from cantilena.errors import CorpusError
from cantilena.music import ChordTrack

COLLECTIONS = [builtin.name for builtin in BUILTINS[1:]]
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def tunes() -> Corpus:
    return load_builtin("tunes")


def by_source(corpus: Corpus, source: str) -> str:
    melody = corpus[corpus.column("source").index(source)]
    bars = set(melody.bar_starts())
    return " ".join(
        ("| " if note.onset in bars else "") + f"{note.name}:{note.duration / 24:g}" for note in melody.notes
    )


def test_the_whole_holds_the_collections(tunes: Corpus) -> None:
    assert list(tunes.count("collection")) == COLLECTIONS
    assert sum(len(load_builtin(name)) for name in COLLECTIONS) == len(tunes) > 5000
    assert len({name for builtin in BUILTINS[1:] for name in builtin.folders}) == len(BUILTINS[0].folders)


def test_every_melody_says_where_it_comes_from(tunes: Corpus) -> None:
    for column in ("title", "composer", "source", "licence", "piece"):
        assert all(tunes.column(column)), column
    assert all(licence.startswith("public domain (") for licence in tunes.column("licence"))
    assert len(set(tunes.column("source"))) == len(tunes)
    assert tunes.manifest.licence


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.e2e)])
def test_melodies_are_single_lines_in_their_bars(tunes: Corpus, every: int) -> None:
    for melody in (tunes[row] for row in range(0, len(tunes), every)):
        assert melody.is_monophonic
        assert melody.key is not None or melody.source.startswith(("airds", "oneill"))
        assert len(melody.notes) >= 16
        assert min(note.top for note in melody.notes) >= 36
        assert max(note.top for note in melody.notes) <= 97
        assert melody.pickup < melody.meter.ticks_per_bar


@pytest.mark.parametrize("folder", ["ryansMammoth", "oneills1850", "airdsAirs"])
def test_tunes_end_on_their_tonic(tunes: Corpus, folder: str) -> None:
    """A wrong key, pitch or last bar would show here: folk tunes end on the tonic four times out of five."""
    ends, inside = [], []
    for row in [row for row, source in enumerate(tunes.column("source")) if source.startswith(folder)][::3]:
        melody = tunes[row]
        if melody.key:
            ends.append(melody.notes[-1].top % 12 == melody.key.tonic)
            scale = melody.key.pitch_classes
            inside.append(np.mean([note.top % 12 in scale for note in melody.notes]))
    assert np.mean(ends) > 0.75
    assert np.mean(inside) > 0.97


def test_splits_hold_in_each_collection(tunes: Corpus) -> None:
    for name in COLLECTIONS:
        counts = load_builtin(name).count("split")
        # Pieces keep the split in which models first learned them: few long movements of quartets are test pieces.
        least = 0.04 if name == "quartets" else 0.05
        assert all(counts[split] >= least * sum(counts.values()) for split in SPLITS)
    splits: dict[str, set[str]] = {}
    for piece, split in zip(tunes.column("piece"), tunes.column("split"), strict=True):
        splits.setdefault(piece, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize(
    "name", ["quartets", *(pytest.param(name, marks=pytest.mark.e2e) for name in ("ryan", "tunes"))]
)
def test_no_near_duplicates_are_left_and_variants_share_a_split(name: str) -> None:
    corpus = load_builtin(name)
    melodies, splits = list(corpus), corpus.column("split")
    assert near_duplicates(melodies) == {}
    assert all(splits[one] == splits[other] for one, other in near_duplicates(melodies, 0.3).items())


@pytest.mark.parametrize(
    ("source", "beginning"),
    [
        # As printed in the sources: the chorale by heart of every student; the tunes from the ABC, note by note.
        (
            "bach/bwv66.6.mxl#soprano",
            "| C#5:0.5 B4:0.5 | A4:1 B4:1 C#5:1 E5:1 | C#5:1 B4:1 A4:1 C#5:1 | A4:0.5 B4:0.5 G#4:1 F#4:1",
        ),
        (
            "airdsAirs/book1.abc#1",
            "| A4:0.5 G4:0.5 | B4:1 B4:1 B4:1 A4:0.5 G4:0.5 | B4:1 B4:1 B4:1 G5:1 | B4:1 B4:1 B4:1 A4:0.5 G4:0.5",
        ),
        (
            "oneills1850/0001-0050.abc#2",  # with =f in bar 15, and ties that are slurs
            "| F#5:0.25 G5:0.25 | A5:0.75 B5:0.25 G5:0.75 A5:0.25 | F#5:1 E5:0.75 D5:0.25 | D5:0.75 C#5:0.25 A4:0.75",
        ),
        (
            "oneills1850/0051-0100.abc#3",  # with a fermata before a note: ^F2G HA2 d
            "| D4:0.5 | G4:1 A4:0.5 A#4:0.5 A4:0.5 G4:0.5 | F#4:1 G4:0.5 D4:1 D4:0.5 | "
            "G4:1 A4:0.5 A#4:0.5 A4:0.5 G4:0.5 | F#4:1 G4:0.5 A4:1 D5:0.5",
        ),
    ],
)
def test_known_tunes_note_by_note(tunes: Corpus, source: str, beginning: str) -> None:
    assert by_source(tunes, source).startswith(beginning)


def test_second_endings_follow_the_tune(tunes: Corpus) -> None:
    """Aird I, 59: after bar 12 comes the last ending, not the first, and its upbeat completes the short bar."""
    assert by_source(tunes, "airdsAirs/book1.abc#59").endswith(
        "| B4:0.5 A4:0.5 A4:0.5 B4:0.25 D5:0.25 | E5:0.5 G5:0.25 E5:0.25 D5:0.5 E5:0.25 D5:0.25 "
        "| B4:0.5 D5:0.25 B4:0.25 A4:0.25 C5:0.25 B4:0.25 A4:0.25 "
        "| G4:0.75 E5:0.25 D5:0.25 B4:0.25 A4:0.25 B4:0.25 | G4:0.5 E4:0.5 E4:0.5"
    )


def test_plain_tunes_have_the_letters_of_their_source(tunes: Corpus) -> None:
    """Read again without any library: every letter of the ABC is a note of its pitch, give or take an accidental."""
    music21 = pytest.importorskip("music21")
    folder = Path(music21.__file__).parent / "corpus"
    naturals = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
    rows = {source: row for row, source in enumerate(tunes.column("source"))}
    checked = 0
    for book in ("airdsAirs/book2.abc", "airdsAirs/book4.abc", "oneills1850/1701-1780.abc"):
        text = (folder / book).read_text(encoding="utf-8", errors="replace")
        for number, block in enumerate(re.split(r"(?m)^\s*X:\s*\d+", text)[1:], 1):
            lines = [re.split("%", line)[0] for line in block.splitlines() if not re.match(r"\s*[A-Za-z]:[^|:]", line)]
            music = re.sub(r'"[^"]*"|\{[^}]*\}|![^!\s]*!', "", " ".join(lines))
            row = rows.get(f"{book}#{number}")
            if row is None or re.search(r"[\[\]-]|\|\s*[12]|:\s*[12]", music):
                continue
            letters = re.findall(r"([A-Ga-g])([,']*)", music)
            notes = tunes[row].notes
            assert len(letters) == len(notes), f"{book}#{number}"
            for (letter, marks), note in zip(letters, notes, strict=True):
                octave = 60 + 12 * letter.islower() + 12 * (marks.count("'") - marks.count(","))
                assert abs(octave + naturals[letter.upper()] - note.top) <= 1
            checked += 1
    assert checked > 150


def test_chorales_are_what_music21_reads(tunes: Corpus) -> None:
    music21 = pytest.importorskip("music21")
    for bwv in ("66.6", "253", "1.6"):
        score = music21.corpus.parse(f"bach/bwv{bwv}")
        for part in score.parts[-4:]:
            source = f"bach/bwv{bwv}.mxl#{part.partName.lower()}"
            melody = tunes[tunes.column("source").index(source)]
            theirs = [
                (round(note.offset * 24), round(note.quarterLength * 24), note.pitch.midi)
                for note in part.stripTies().flatten().notes
            ]
            assert [(note.onset, note.duration, note.top) for note in melody.notes] == theirs


def test_the_script_reads_the_same_again(tunes: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    from corpus_sources import gather

    rows = {source: row for row, source in enumerate(tunes.column("source"))}
    files = [
        ("chorales", "bach/bwv66.6.mxl"),
        ("quartets", "mozart/k156/movement4.mxl"),
        ("ryan", "ryansMammoth/SoldiersJoy.abc"),
        ("oneill", "oneills1850/0721-0730.abc"),
    ]
    for item in files:
        entries, _ = gather(item)
        assert entries
        kept = [entry for entry in entries if entry.melody.source in rows]
        assert kept
        # Chords of chorales are inferred afterwards, from the other voices.
        assert all(replace(tunes[rows[entry.melody.source]], chords=ChordTrack()) == entry.melody for entry in kept)


def test_it_is_small_and_explained() -> None:
    folder = resources.files("cantilena.data").joinpath("shipped")
    assert len(folder.joinpath("tunes.parquet").read_bytes()) < 3 * 2**20
    provenance = folder.joinpath("PROVENANCE.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in provenance for name in COLLECTIONS)
    assert "@" not in provenance


def test_parts_keep_their_own_report() -> None:
    ryan = load_builtin("ryan")
    assert ryan.manifest.name == "ryan"
    assert {row.file.partition("/")[0] for row in ryan.manifest.skipped} == {"ryansMammoth"}
    skipped = Counter(row.file for row in ryan.manifest.skipped)
    assert len(ryan) + len(skipped) == 1059
    assert ryan.manifest.read == len(ryan)


def test_corpora_open_by_name_file_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quartets = open_corpus("quartets")
    quartets.save(tmp_path / "saved.arrow")
    for path in (str(tmp_path / "saved.arrow"), tmp_path / "saved.arrow"):
        assert list(open_corpus(path)) == list(quartets)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match="there is no corpus 'aird2'"):
        open_corpus("aird2")
    (tmp_path / "aird").mkdir()
    assert open_corpus("aird").manifest.name == "aird"
    for folder in ("./aird", Path("aird")):
        with pytest.raises(CorpusError, match="holds no score"):
            open_corpus(folder)
    with pytest.raises(CorpusError, match="no corpus 'bach' ships"):
        load_builtin("bach")
