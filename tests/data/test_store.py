"""A corpus keeps every melody exactly, maps its file into memory, and refuses damaged files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cantilena.data import Corpus, Entry, Manifest, Skipped
from cantilena.errors import CantilenaError, CorpusError, RunError, UsageError
from cantilena.music import Chord, Key, Melody, Meter, Note, Repeats, Section, Tempo


def random_melody(rng: np.random.Generator, notes: int = 40, chords: bool = False) -> Melody:
    onset, found = 0, []
    for _ in range(notes):
        duration = int(rng.choice([6, 8, 12, 24]))
        size = int(rng.integers(0, 4)) if chords else 1
        found.append(Note(tuple(rng.integers(0, 128, size).tolist()), onset, duration))
        onset += duration + int(rng.integers(0, 2)) * 12
    return Melody(
        tuple(found),
        key=None if rng.random() < 0.2 else Key(int(rng.integers(12)), "minor" if rng.random() < 0.5 else "major"),
        meter=Meter(int(rng.integers(2, 13)), int(rng.choice([2, 4, 8]))),
        tempo=Tempo(((0, float(rng.uniform(30, 300))), (int(rng.integers(1, 90)), 90.5))),
        pickup=int(rng.integers(0, 48)),
        length=onset + int(rng.integers(0, 100)),
        title="Für Elise ♯",
        source="a/b.mid",
        chords=((0, Chord(None)), (24, Chord(int(rng.integers(12)), "min7", 3))) if rng.random() < 0.5 else (),
        repeats=random_repeats(rng) if rng.random() < 0.5 else Repeats(),
        phrase_ends=(24, 96) if rng.random() < 0.5 else (),
    )


def random_repeats(rng: np.random.Generator) -> Repeats:
    sections = (Section(0, 96), Section(96, 192, (1, 3)), Section(200, 200 + int(rng.integers(50)), (2,)))
    return Repeats(sections, tuple(rng.integers(0, 3, int(rng.integers(5))).tolist()))


@pytest.fixture
def corpus() -> Corpus:
    rng = np.random.default_rng(3)
    entries = [
        Entry(
            random_melody(rng, chords=bool(index % 2)),
            piece=f"piece {index // 2}",
            collection="odd" if index % 2 else "even",
            composer="Anon",
            licence="public domain",
            split=("train", "valid", "test")[index % 3],
            folded=index,
        )
        for index in range(12)
    ]
    skipped = (Skipped("x.mid", "no notes"),)
    return Corpus.from_entries(entries, Manifest("mine", "CC0", read=12, skipped=skipped, options={"voice": "all"}))


def test_everything_comes_back(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "mine.arrow"
    corpus.save(path)
    loaded = Corpus.load(path)
    assert list(loaded) == list(corpus)
    assert loaded.table.equals(corpus.table)
    assert loaded.manifest == corpus.manifest
    assert loaded.manifest.skipped == (Skipped("x.mid", "no notes"),)
    rng = np.random.default_rng(3)
    assert loaded[0] == random_melody(rng)
    assert loaded[1] == random_melody(rng, chords=True)
    assert loaded.column("folded") == list(range(12))


def test_same_corpus_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    corpus.save(tmp_path / "a.arrow")
    Corpus.load(tmp_path / "a.arrow").save(tmp_path / "b.arrow")
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


def test_other_programs_read_it(corpus: Corpus, tmp_path: Path) -> None:
    corpus.save(tmp_path / "mine.arrow")
    table = pa.ipc.open_file(str(tmp_path / "mine.arrow")).read_all()
    assert table.column("title").to_pylist() == ["Für Elise ♯"] * 12
    assert table.column("onset").to_pylist()[0] == [note.onset for note in corpus[0].notes]


def test_splits_and_collections(corpus: Corpus) -> None:
    assert len(corpus.split("train")) == 4
    assert list(corpus.split("test")) == [corpus[index] for index in (2, 5, 8, 11)]
    assert list(corpus.melodies("train", "odd")) == [corpus[3], corpus[9]]
    assert corpus.melodies()[1:3][1] == corpus[2]
    assert corpus.melodies()[-1] == corpus[11]
    assert corpus.where(collection="even").count("collection") == {"even": 6}
    assert len(corpus.split("train").split("valid")) == 0
    assert corpus.split("train").split("valid").notes == 0
    with pytest.raises(IndexError):
        corpus.melodies()[12]
    with pytest.raises(UsageError, match="there is no split 'dev'"):
        corpus.melodies("dev")
    with pytest.raises(UsageError, match="no collection 'new'"):
        corpus.where(collection="new")


def test_notes_counts_what_sounds() -> None:
    tune = Melody((Note((60,), 0, 12), Note((), 24, 12), Note((62, 66), 48, 12)))
    assert Corpus.from_entries([Entry(tune, "a")], Manifest("one")).notes == 2


def test_part_of_a_corpus_is_saved_alone(corpus: Corpus, tmp_path: Path) -> None:
    corpus.split("valid").save(tmp_path / "valid.arrow")
    assert list(Corpus.load(tmp_path / "valid.arrow")) == list(corpus.melodies("valid"))


def test_the_file_is_mapped_not_copied(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Corpus.from_entries([Entry(random_melody(rng, 500), "a")] * 400, Manifest("big")).save(tmp_path / "c.arrow")
    program = (
        "import sys, pathlib, pyarrow; from cantilena.data import Corpus;"
        "c = Corpus.load(pathlib.Path(sys.argv[1])); len(c[7].notes); print(pyarrow.total_allocated_bytes())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "c.arrow")], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) < (tmp_path / "c.arrow").stat().st_size / 20


def test_existing_files_are_kept_without_overwrite(corpus: Corpus, tmp_path: Path) -> None:
    corpus.save(tmp_path / "mine.arrow")
    with pytest.raises(RunError, match="exists already"):
        corpus.save(tmp_path / "mine.arrow", overwrite=False)
    with pytest.raises(CorpusError, match="no melody to save"):
        corpus.split("train").split("test").save(tmp_path / "none.arrow")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.arrow"]


def test_missing_foreign_and_strange_files(tmp_path: Path) -> None:
    (tmp_path / "empty.arrow").touch()
    (tmp_path / "text.arrow").write_text("not a corpus at all")
    (tmp_path / "cut.arrow").write_bytes(b"ARROW1\0\0")
    (tmp_path / "folder.arrow").mkdir()
    names = ["empty.arrow", "text.arrow", "cut.arrow", "folder.arrow", "missing.arrow", "/dev/zero"]
    for name in names:
        with pytest.raises(CorpusError) as caught:
            Corpus.load(tmp_path / name)
        assert "\n" not in caught.value.text
        assert caught.value.hint
    pa.ipc.new_file(str(tmp_path / "other.arrow"), pa.schema([("a", pa.int8())])).close()
    with pytest.raises(CorpusError, match="is no corpus of Cantilena"):
        Corpus.load(tmp_path / "other.arrow")


def test_a_small_file_that_would_grow_is_refused_before_it_does(corpus: Corpus, tmp_path: Path) -> None:
    table = corpus.described_table()
    zeros = pa.array(np.zeros(20_000_000, np.int32))
    onset = pa.ListArray.from_arrays(pa.array([0] * len(corpus) + [len(zeros)], pa.int32()), zeros)
    bomb = table.set_column(0, table.schema.field("onset"), onset)
    dictionary = table.append_column("x", pa.array(["a"] * len(corpus)).dictionary_encode())
    for name, codec, forged in (("a", "zstd", bomb), ("b", "lz4", table), ("c", None, dictionary)):
        path = tmp_path / f"{name}.arrow"
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, forged.schema, options=options) as writer:
            writer.write_table(forged)
        before = pa.total_allocated_bytes()
        with pytest.raises(CorpusError, match="is compressed"):
            Corpus.load(path)
        assert pa.total_allocated_bytes() <= before


def test_damaged_bytes_never_crash(corpus: Corpus, tmp_path: Path) -> None:
    """Cut or change the file anywhere: it is refused, or what changed does not matter to any melody."""
    corpus.save(tmp_path / "good.arrow")
    good = (tmp_path / "good.arrow").read_bytes()
    rng = np.random.default_rng(9)
    path, reasons = tmp_path / "bad.arrow", []
    for _ in range(300):
        bad = bytearray(good)
        if rng.random() < 0.3:
            bad = bad[: rng.integers(len(bad))]
        else:
            for place in rng.integers(0, len(bad), int(rng.integers(1, 9))):
                bad[place] = rng.integers(256)
        path.write_bytes(bad)
        try:
            list(Corpus.load(path))
        except CantilenaError as error:
            reasons.append(error.text)
    assert len(reasons) > 100
    assert not any("\n" in reason for reason in reasons)


def with_column(corpus: Corpus, path: Path, name: str, values: object) -> Path:
    """The corpus saved with one column replaced, as a clever forger would."""
    table = corpus.described_table()
    place = table.schema.get_field_index(name)
    field = table.schema.field(name)
    forged = table.set_column(place, field, pa.array(values, type=field.type))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, forged.schema) as writer:
        writer.write_table(forged)
    return path


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("onset", [-1, 5], "a note before the start"),
        ("onset", [0], "without onset, duration or pitch"),
        ("onset", [None, 0], "a value of 'onset' is missing"),
        ("onset", [2**31 - 2, 0], "never ends"),
        ("duration", [0, 4], "a note without duration"),
        ("pitches", [[60], [128]], "a pitch outside 0..127"),
        ("pitches", [[60], None], "a value of 'pitches' is missing"),
        ("pitches", [[60], [None]], "a value of 'pitches' is missing"),
        ("length", -1, "a negative length"),
        ("pickup", None, "a value of 'pickup' is missing"),
        ("meter", "4/5", "is not a meter"),
        ("meter", "999999999999/4", "is not a meter"),
        ("key", "H dur", "is not"),
        ("split", "dev", "not train, valid or test"),
        ("tempo_tick", [], "tempos without a tick or a rate"),
        ("tempo_tick", [7, 9], "without a tempo at its start"),
        ("tempo_tick", [0, 0], "tempo changes out of order"),
        ("tempo_rate", [1e9, 3.0], "a tempo outside"),
        ("tempo_rate", [float("nan"), 3.0], "a tempo outside"),
        ("title", None, "a value of 'title' is missing"),
        ("folded", -3, "a negative folded"),
        ("chord_tick", [0], "chords without a tick or a symbol"),
        ("chord_tick", [5, 5], "chords out of order"),
        ("chord", ["C", "H dur"], "is not a chord symbol"),
        ("chord", ["C", None], "a value of 'chord' is missing"),
        ("section_start", [-1, 24], "sections out of order"),
        ("section_start", [0, 12], "sections out of order"),
        ("section_end", [24], "sections without start, end or endings"),
        ("section_endings", [[], None], "sections without start, end or endings|endings are missing"),
        ("section_endings", [[], [None]], "endings are missing"),
        ("section_order", [0, 2], "a section that is missing"),
        ("section_order", [0] * 10_001, "a section that is missing"),
        ("phrase_end", [-1], "phrase ends out of order"),
    ],
)
def test_impossible_values_are_named(tmp_path: Path, name: str, value: object, what: str) -> None:
    two = Melody(
        (Note((60,), 0, 12), Note((62,), 12, 12)),
        tempo=Tempo(((0, 120.0), (24, 60.0))),
        chords=((0, Chord(0)), (12, Chord(None))),
        repeats=Repeats((Section(0, 24), Section(24, 48, (1,))), (0, 0, 1)),
        phrase_ends=(24,),
    )
    corpus = Corpus.from_entries([Entry(two, "a"), Entry(two, "b")], Manifest("two"))
    good = corpus.column(name)[0]
    path = with_column(corpus, tmp_path / "forged.arrow", name, [good, value])
    with pytest.raises(CorpusError, match=what):
        Corpus.load(path)


def test_a_file_without_chords_sections_and_phrase_ends_opens(corpus: Corpus, tmp_path: Path) -> None:
    table = corpus.described_table()
    added = ["chord_tick", "chord", "section_start", "section_end", "section_endings", "section_order", "phrase_end"]
    older = table.drop_columns(added)
    with pa.OSFile(str(tmp_path / "older.arrow"), "wb") as sink, pa.ipc.new_file(sink, older.schema) as writer:
        writer.write_table(older)
    bare = [replace(melody, chords=(), repeats=Repeats(), phrase_ends=()) for melody in corpus]
    assert list(Corpus.load(tmp_path / "older.arrow")) == bare


def test_missing_columns_and_versions(corpus: Corpus, tmp_path: Path) -> None:
    def save(table: pa.Table) -> Path:
        with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return tmp_path / "x.arrow"

    table = corpus.described_table()
    with pytest.raises(CorpusError, match="no column 'onset'"):
        Corpus.load(save(table.drop_columns(["onset"])))
    with pytest.raises(CorpusError, match="holds no melody"):
        Corpus.load(save(table.slice(0, 0)))
    with pytest.raises(CorpusError, match="was changed after it was written"):
        Corpus.load(save(table.slice(1)))
    metadata = table.schema.metadata
    for manifest, what in ((b"{", "damaged manifest"), (b"[]", "damaged manifest"), (b'{"format": 9}', "format 9")):
        with pytest.raises(CorpusError, match=what):
            Corpus.load(save(table.replace_schema_metadata({**metadata, b"cantilena": manifest})))
    deep = b"[" * 100_000
    with pytest.raises(CorpusError, match="damaged manifest"):
        Corpus.load(save(table.replace_schema_metadata({**metadata, b"cantilena": deep})))


def test_a_melody_too_long_for_the_columns_is_an_error() -> None:
    with pytest.raises(CorpusError, match="longer than a corpus can hold"):
        Corpus.from_entries([Entry(Melody((Note((60,), 2**31, 1),)), "a")], Manifest("long"))
