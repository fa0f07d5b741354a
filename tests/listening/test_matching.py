"""Matched sets, and the exclusion of duplicates and of training melodies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import open_corpus
from cantilena.errors import InputError, UsageError
from cantilena.listening.study.excerpts import Excerpt, phrase_excerpts
from cantilena.listening.study.matching import (
    CENTRAL_PITCH,
    Exclusion,
    matched_sets,
    remove_duplicates,
    training_melodies,
    transpose_to_tonic,
)
from cantilena.listening.text import check_folders
from cantilena.music import Key, Melody


def melody(seed: int, tonic: int = 60, key: Key | None = None) -> Melody:
    """Two phrases of seven notes and a long one."""
    rng = np.random.default_rng(seed)
    pitches = [tonic + int(pitch) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 12], 14)]
    pairs = [*((pitch, 24) for pitch in pitches[:7]), (tonic, 72), *((pitch, 24) for pitch in pitches[7:])]
    return Melody.from_pitches([*pairs, (tonic + 2, 72), (None, 24)], key=key or Key(tonic % 12), source=f"{seed}.mid")


def arm(seeds: range, tonic: int = 60, key: Key | None = None) -> list[Excerpt]:
    return [
        excerpt
        for piece, seed in enumerate(seeds)
        for excerpt in phrase_excerpts(melody(seed, tonic, key), piece, tempo=120, shortest=4, longest=12)
    ]


def test_clips_of_a_set_are_alike_and_no_melody_is_used_twice() -> None:
    arms = {"human": arm(range(20)), "lstm": arm(range(20, 50), tonic=67), "tuned": arm(range(50, 80), tonic=53)}
    sets = matched_sets(arms, 15, np.random.default_rng(1))
    assert len(sets) == 15
    for name in arms:
        assert len({one_set[name].piece for one_set in sets}) == 15
    for one_set in sets:
        lengths = [excerpt.quarters for excerpt in one_set.values()]
        assert max(lengths) - min(lengths) <= 1
        for excerpt in one_set.values():
            moved = transpose_to_tonic(excerpt, 2)
            assert moved.key == Key(2)
            mean_pitch = excerpt.mean_pitch + moved.sounding[0].top - excerpt.melody.sounding[0].top
            assert abs(mean_pitch - CENTRAL_PITCH) <= 6.01


def test_sets_have_one_mode_and_too_few_melodies_are_reported() -> None:
    arms = {"human": arm(range(10)), "lstm": arm(range(20, 40), key=Key(0, "minor"))}
    with pytest.raises(InputError, match=r"only 0 of 5 sets of clips can be matched: lstm has 20 melodies"):
        matched_sets(arms, 5, np.random.default_rng(1))


def test_transposition_stays_in_the_range_of_pitches() -> None:
    wide = Melody.from_pitches(
        [(1, 24), (126, 24), (60, 24), (61, 24), (62, 24), (63, 24), (64, 24), (65, 72)], key=Key(0)
    )
    with pytest.raises(InputError, match="too wide"):
        transpose_to_tonic(Excerpt.from_melody(wide, 0, "", Key(0)), 6)


def test_duplicates_within_an_arm_and_between_arms_are_removed_in_any_key() -> None:
    human = [melody(n) for n in range(6)]
    again = replace(melody(12).transposed(5), source="again.mid")
    lstm = [*(melody(n) for n in range(10, 16)), again, human[3].transposed(-4)]
    kept, exclusions = remove_duplicates({"human": human, "lstm": lstm}, {})
    assert kept == {"human": human, "lstm": lstm[:6]}
    assert exclusions == [
        Exclusion("lstm", "again.mid", "almost the same as 12.mid"),
        Exclusion("lstm", "3.mid", "almost the same as 3.mid of human"),
    ]


def test_training_melodies_are_removed_from_every_arm() -> None:
    human, training = [melody(n) for n in range(6)], [melody(2).transposed(3), melody(40)]
    kept, exclusions = remove_duplicates({"human": human, "lstm": [melody(40), melody(41)]}, {"reels": training})
    assert [one.source for one in kept["human"]] == ["0.mid", "1.mid", "3.mid", "4.mid", "5.mid"]
    assert [(exclusion.arm, exclusion.file) for exclusion in exclusions] == [("human", "2.mid"), ("lstm", "40.mid")]
    assert exclusions[0].reason == "models may have learned from it: almost the same as 2.mid of reels"


def test_arms_with_the_same_melodies_are_refused() -> None:
    arms = {
        "human": [melody(n) for n in range(6)],
        "lstm": [melody(n) for n in range(10, 16)],
        "tuned": [melody(n).transposed(1) for n in range(10, 16)],
    }
    with pytest.raises(InputError, match="6 melodies of tuned are also in lstm"):
        remove_duplicates(arms, {})


def test_one_folder_for_two_arms_is_refused_by_any_path(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(UsageError, match="human and lstm are the same folder"):
        check_folders({"human": tmp_path / "one", "lstm": tmp_path / "link" / ".." / "one"})
    with pytest.raises(UsageError, match="human and lstm are the same folder"):
        check_folders({"human": tmp_path / "one", "lstm": tmp_path / "link"})
    with pytest.raises(InputError, match="is not a folder"):
        check_folders({"human": tmp_path / "none"})


def test_the_training_corpus_is_found_in_the_folder_of_compositions(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"model": "tunes+rl", "melodies": []}))
    found = training_melodies([tmp_path], ())
    corpus = open_corpus("tunes")
    assert list(found) == ["tunes"]
    assert len(found["tunes"]) == len(corpus) - corpus.count("split")["test"]


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"model": 7}', '{"model": "/etc/passwd"}', '{"model": "hf://a/b"}', "[" * 100_000]
)
def test_an_invalid_manifest_is_ignored(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    assert training_melodies([tmp_path], ()) == {}
