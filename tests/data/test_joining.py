"""Further corpora in the training part."""

from __future__ import annotations

from cantilena.data import Corpus, Entry, Manifest, add_to_training
from cantilena.music import Melody


def tune(seed: int, notes: int = 40) -> Melody:
    pairs = [(60 + (k * k * seed + 3 * k) % 13, 12 + 12 * (k * seed % 3 == 0)) for k in range(notes)]
    return Melody.from_pitches(pairs, title=f"Tune {seed}", source=f"book.abc#{seed}")


def corpus(name: str, parts: dict[int, str], notes: int = 40) -> Corpus:
    entries = [Entry(tune(seed, notes), f"{name} {seed}", split=split) for seed, split in parts.items()]  # type: ignore[arg-type]
    return Corpus.from_entries(entries, Manifest(name, licence="CC0"))


def test_the_training_part_of_another_corpus_is_learned_from_and_held_out_parts_stay() -> None:
    own = corpus("own", {1: "train", 2: "valid", 3: "test"})
    both = add_to_training(own, [corpus("other", {4: "train", 5: "train", 6: "test"})])
    assert both.count("split") == {"train": 3, "valid": 1, "test": 1}
    assert both.count("collection") == {"": 3, "other": 2}
    assert [melody.title for melody in both.melodies("test")] == ["Tune 3"]
    assert both.column("licence")[-1] == "CC0"


def test_what_resembles_a_held_out_melody_is_left_out() -> None:
    own = corpus("own", {1: "train", 2: "valid", 3: "test"})
    again = Corpus.from_entries([Entry(tune(3).transposed(5), "copy"), Entry(tune(1), "known")], Manifest("other"))
    both = add_to_training(own, [again])
    assert len(both) == 4, "that of the training part may come twice"
    assert "copy" not in both.column("piece")


def test_long_melodies_are_cut_into_parts_of_32_bars() -> None:
    own = corpus("own", {1: "train", 2: "valid", 3: "test"})
    long = tune(7, notes=700)
    both = add_to_training(own, [Corpus.from_entries([Entry(long, "long")], Manifest("other"))])
    parts = [melody for melody in both if melody.source.startswith(long.source)]
    assert len(parts) > 1
    assert {part.bars for part in parts[:-1]} == {32}
    assert 16 <= parts[-1].bars <= 48
    assert sum(len(part.sounding) for part in parts) == len(long.sounding)
