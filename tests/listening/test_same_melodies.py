"""A melody is in one arm, once, and is none that a model learned from; what is left out has a row and a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import open_corpus
from cantilena.errors import InputError, UsageError
from cantilena.io import write
from cantilena.listening import CreateOptions, create_study, read_study
from cantilena.listening.study.matching import LeftOut, learned_melodies, without_copies
from cantilena.listening.text import check_folders
from cantilena.music import Key, Melody

OPTIONS = CreateOptions(clips=4, trials=6, listeners=4, shortest=4, longest=8)


def tune(seed: int) -> Melody:
    rng = np.random.default_rng(seed)
    pitches = [60 + int(pitch) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 12], 14)]
    pairs = [*((pitch, 24) for pitch in pitches[:7]), (60, 72), *((pitch, 24) for pitch in pitches[7:]), (62, 72)]
    return Melody.from_pitches([*pairs, (None, 24)], key=Key(), source=f"{seed}.mid")


def test_what_stands_twice_in_an_arm_or_in_two_is_left_out_in_whatever_key() -> None:
    people = [tune(n) for n in range(6)]
    again = replace(tune(12).transposed(5), source="again.mid")
    lstm = [*(tune(n) for n in range(10, 16)), again, people[3].transposed(-4)]
    kept, rows = without_copies({"human": people, "lstm": lstm}, {})
    assert kept == {"human": people, "lstm": lstm[:6]}
    assert rows == [
        LeftOut("lstm", "again.mid", "almost the same as 12.mid"),
        LeftOut("lstm", "3.mid", "almost the same as 3.mid of human"),
    ]


def test_what_a_model_learned_from_is_left_out_of_every_arm() -> None:
    people, learned = [tune(n) for n in range(6)], [tune(2).transposed(3), tune(40)]
    kept, rows = without_copies({"human": people, "lstm": [tune(40), tune(41)]}, {"reels": learned})
    assert [melody.source for melody in kept["human"]] == ["0.mid", "1.mid", "3.mid", "4.mid", "5.mid"]
    assert [(row.arm, row.file) for row in rows] == [("human", "2.mid"), ("lstm", "40.mid")]
    assert rows[0].reason == "models may have learned from it: almost the same as 2.mid of reels"


def test_arms_that_are_the_same_are_refused() -> None:
    with pytest.raises(InputError, match="6 of tuned's melodies are lstm's too, in whatever key"):
        without_copies(
            {
                "human": [tune(n) for n in range(6)],
                "lstm": [tune(n) for n in range(10, 16)],
                "tuned": [tune(n).transposed(1) for n in range(10, 16)],
            },
            {},
        )


def test_one_folder_for_two_arms_is_refused_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(UsageError, match="human and lstm are the same folder"):
        check_folders({"human": tmp_path / "one", "lstm": tmp_path / "link" / ".." / "one"})
    with pytest.raises(UsageError, match="human and lstm are the same folder"):
        check_folders({"human": tmp_path / "one", "lstm": tmp_path / "link"})
    with pytest.raises(InputError, match="is not a folder"):
        check_folders({"human": tmp_path / "none"})


def test_what_a_model_learned_from_is_known_where_its_melodies_were_composed(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"model": "tunes+rl", "melodies": []}))
    found = learned_melodies([tmp_path], ())
    corpus = open_corpus("tunes")
    assert list(found) == ["tunes"]
    assert len(found["tunes"]) == len(corpus) - len(corpus.melodies("test"))


@pytest.mark.parametrize(
    "told", ["{", "[]", '{"model": 7}', '{"model": "/etc/passwd"}', '{"model": "hf://a/b"}', "[" * 100_000]
)
def test_a_manifest_that_tells_nothing_is_not_believed(tmp_path: Path, told: str) -> None:
    (tmp_path / "manifest.json").write_text(told)
    assert learned_melodies([tmp_path], ()) == {}


def test_a_study_says_what_it_left_out_and_what_it_was_held_against(tmp_path: Path) -> None:
    for name, seeds in (("people", range(8)), ("lstm", range(10, 18)), ("learned", range(3, 5))):
        for seed in seeds:
            write(tune(seed).transposed(2 if name == "learned" else 0), tmp_path / name / f"{seed:03}.mid")
    (tmp_path / "people" / "broken.mid").write_bytes(b"MThd no more")
    corpus = tmp_path / "learned"
    options = CreateOptions(**{**vars(OPTIONS), "against": (str(corpus),)})
    made = create_study({"human": tmp_path / "people", "lstm": tmp_path / "lstm"}, options, tmp_path / "study.zip")
    rows = {(row.arm, row.file): row.reason for row in made.left_out}
    assert ("human", "broken.mid") in rows
    sources = {clip.source for clip in made.study.clips}
    learned = [file for (_, file), reason in rows.items() if "learned from it" in reason]
    assert learned
    assert not {*learned, "broken.mid"} & sources
    assert read_study(made.path).checks["left_out"] == made.to_json()["left_out"]
    assert "broken.mid" in made.text()
    assert str(corpus) in made.text()
