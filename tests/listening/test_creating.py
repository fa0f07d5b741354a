"""A study made of folders: matched, equally loud, balanced, frozen; refused with the reason where it cannot be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import InputError, RunError, UsageError
from cantilena.io import write
from cantilena.listening import (
    Created,
    CreateOptions,
    Truth,
    analyse,
    clip_bytes,
    create_study,
    design,
    loudness,
    read_study,
    rehearse,
)
from cantilena.listening.study.clips import RATE, TARGET, TOLERANCE, samples_of
from cantilena.music import Key, Melody

OPTIONS = CreateOptions(clips=4, trials=6, listeners=4, shortest=4, longest=6)


def folder(path: Path, seeds: range, step: int = 24) -> Path:
    for seed in seeds:
        rng = np.random.default_rng(seed)
        pairs = [(60 + int(pitch), step) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 12], 7 * 24 // step)]
        melody = Melody.from_pitches([*pairs, (60, 72), (None, 24)] * 2, key=Key())
        write(melody, path / f"{seed:03}.mid")
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("arms")
    return {"human": folder(place / "human", range(6)), "lstm": folder(place / "lstm", range(10, 16))}


@pytest.fixture(scope="module")
def created(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Created:
    return create_study(folders, OPTIONS, tmp_path_factory.mktemp("study") / "study.zip")


def test_the_file_holds_every_clip_equally_loud_and_named_so_that_nothing_is_told(created: Created) -> None:
    study = read_study(created.path)
    assert study == created.study
    assert Counter((clip.role, clip.arm) for clip in study.clips) == {
        ("item", "human"): 4, ("item", "lstm"): 4, ("anchor", ""): 4, ("attention", ""): 1, ("headphones", ""): 6,
        ("practice", "human"): 1, ("practice", "lstm"): 1,
    }  # fmt: skip
    for clip in study.clips:
        samples = samples_of(clip_bytes(created.path, study, clip.id))
        assert len(samples) / RATE == pytest.approx(clip.seconds, abs=1e-3)
        if clip.role != "headphones":
            assert loudness(samples, RATE) == pytest.approx(TARGET, abs=TOLERANCE)
    assert [clip.id for clip in study.items] != sorted(clip.id for clip in study.items)


def test_clips_of_a_set_are_matched_and_practice_is_not_heard_again(created: Created) -> None:
    study = created.study
    for number in range(4):
        one, other = (clip for clip in study.items if clip.about["set"] == number)
        assert one.about["key"] == other.about["key"]
        assert abs(one.seconds - other.seconds) < 0.6
    practice = {(clip.arm, clip.source) for clip in study.clips if clip.role == "practice"}
    assert not practice & {(clip.arm, clip.source) for clip in study.items}


def test_the_same_seed_gives_the_same_bytes(folders: dict[str, Path], created: Created, tmp_path: Path) -> None:
    again = create_study(folders, OPTIONS, tmp_path / "again.zip")
    assert again.path.read_bytes() == created.path.read_bytes()
    with pytest.raises(RunError, match="exists already"):
        create_study(folders, OPTIONS, tmp_path / "again.zip")


def test_a_study_can_be_rehearsed_to_its_end(created: Created) -> None:
    answers = rehearse(created.study, Truth((0.7, 0.3)), 4, seed=1)
    done = analyse(created.study, answers)
    assert done.simulated
    assert [arm.name for arm in done.arms] == ["human", "lstm"]


def test_an_arm_that_is_faster_is_refused_unless_it_may_be(folders: dict[str, Path], tmp_path: Path) -> None:
    people = folder(tmp_path / "people", range(16))
    fast = folder(tmp_path / "fast", range(20, 44), step=12)
    options = CreateOptions(clips=12, trials=6, listeners=4, shortest=4, longest=6)
    with pytest.raises(InputError, match=r"fast is told from people's clips by the .*pace.* of the sound alone"):
        create_study({"human": people, "fast": fast}, options, tmp_path / "study.zip")
    assert not (tmp_path / "study.zip").exists()
    accepted = replace(options, accept=("pace", "silence", "loudness", "register", "length"))
    made = create_study({"human": people, "fast": fast}, accepted, tmp_path / "study.zip")
    assert made.study.checks["accepted"] == ["length", "loudness", "pace", "register", "silence"]
    assert any(one["by"] == "pace" and one["area"] > 0.9 for one in made.study.checks["found"])


def test_too_few_melodies_are_counted(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="human has 6 melodies with whole phrases of 4 to 6 seconds, and 7 are needed"):
        create_study(
            folders, CreateOptions(clips=7, trials=6, listeners=4, shortest=4, longest=6), tmp_path / "study.zip"
        )
    with pytest.raises(InputError, match="is not a folder"):
        create_study({"human": tmp_path / "no", "lstm": folders["lstm"]}, OPTIONS, tmp_path / "study.zip")


def test_unbalanced_designs_are_refused_with_the_nearest_that_are() -> None:
    with pytest.raises(UsageError, match="20 trials cannot be balanced over 3 arms") as refused:
        design(["human", "lstm", "tuned"], CreateOptions(trials=20))
    assert refused.value.hint == "give --trials 18 or 21"
    with pytest.raises(UsageError, match="40 listeners cannot be balanced over the 6 orders of 3 arms"):
        design(["human", "lstm", "tuned"], CreateOptions(listeners=40))
    with pytest.raises(UsageError, match="no arm of people's melodies"):
        design(["lstm", "tuned"], CreateOptions())
    with pytest.raises(UsageError, match="one generated arm"):
        design(["human", "lstm", "tuned"], CreateOptions(preset="paper"))


def test_the_papers_design_is_ten_raters_and_twenty_clips() -> None:
    plan = design(["lstm", "human"], CreateOptions(preset="paper"))
    assert (plan.arms, plan.clips, plan.heard, plan.listeners) == (("human", "lstm"), 10, 10, 10)
    assert not plan.checks
    with pytest.raises(UsageError, match="its own numbers"):
        CreateOptions(preset="paper", clips=12)
