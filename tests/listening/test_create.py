"""Studies created from folders: matched, equally loud, reproducible; refused with the reason if not possible."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import InputError, RunError
from cantilena.io import read_sound, write
from cantilena.listening import (
    CreatedStudy,
    CreateOptions,
    ListenerModel,
    analyse,
    clip_bytes,
    create_study,
    loudness,
    read_study,
    rehearse,
)
from cantilena.listening.study.clips import RATE, TARGET, TOLERANCE
from cantilena.listening.study.leaks import Leak
from cantilena.music import Key, Melody

OPTIONS = CreateOptions(clips=2, trials=4, listeners=4, shortest=2, longest=3, tempo=240)


def write_melodies(folder: Path, seeds: range, step: int = 24) -> Path:
    """Write melodies of two phrases that last 10 quarter notes each."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        notes = [(60 + int(pitch), step) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 12], 7 * 24 // step)]
        write(Melody.from_pitches([*notes, (60, 72), (None, 24)] * 2, key=Key()), folder / f"{seed:03}.mid")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two arms: a human melody of the training corpus, and an unreadable file among them."""
    arms = tmp_path_factory.mktemp("arms")
    folders = {"human": write_melodies(arms / "human", range(7)), "lstm": write_melodies(arms / "lstm", range(10, 16))}
    write_melodies(arms / "training", range(3, 4))
    (folders["human"] / "broken.mid").write_bytes(b"MThd no more")
    return folders


@pytest.fixture(scope="module")
def options(folders: dict[str, Path]) -> CreateOptions:
    return replace(OPTIONS, against=(str(folders["human"].parent / "training"),))


@pytest.fixture(scope="module")
def created(folders: dict[str, Path], options: CreateOptions, tmp_path_factory: pytest.TempPathFactory) -> CreatedStudy:
    return create_study(folders, options, tmp_path_factory.mktemp("study") / "study.zip")


def test_the_file_has_all_clips_equally_loud_and_in_random_order(created: CreatedStudy) -> None:
    study = read_study(created.path)
    assert study == created.study
    assert Counter((clip.role, clip.arm) for clip in study.clips) == {
        ("item", "human"): 2, ("item", "lstm"): 2, ("anchor", ""): 2, ("attention", ""): 1, ("headphones", ""): 6,
        ("practice", "human"): 1, ("practice", "lstm"): 1,
    }  # fmt: skip
    for clip in study.clips:
        samples = read_sound(clip_bytes(created.path, study, clip.id))[0]
        assert len(samples) / RATE == pytest.approx(clip.seconds, abs=1e-3)
        if clip.role != "headphones":
            assert loudness(samples, RATE) == pytest.approx(TARGET, abs=TOLERANCE)
    assert [clip.id for clip in study.items] != sorted(clip.id for clip in study.items)


def test_clips_of_a_set_are_matched_and_practice_clips_are_not_used_again(created: CreatedStudy) -> None:
    study = created.study
    for number in range(2):
        one, other = (clip for clip in study.items if clip.about["set"] == number)
        assert one.about["key"] == other.about["key"]
        assert abs(one.seconds - other.seconds) < 0.6
    practice = {(clip.arm, clip.source) for clip in study.clips if clip.role == "practice"}
    assert not practice & {(clip.arm, clip.source) for clip in study.items}


def test_exclusions_are_reported(created: CreatedStudy, options: CreateOptions) -> None:
    rows = {(exclusion.arm, exclusion.file): exclusion.reason for exclusion in created.exclusions}
    assert ("human", "broken.mid") in rows
    training = [file for (_, file), reason in rows.items() if "learned from it" in reason]
    assert training == ["003.mid"]
    assert not {*training, "broken.mid"} & {clip.source for clip in created.study.clips}
    assert read_study(created.path).checks["left_out"] == created.to_json()["left_out"]
    assert "broken.mid" in created.text()
    assert options.against[0] in created.text()


@pytest.mark.e2e
def test_the_same_seed_gives_the_same_bytes(
    folders: dict[str, Path], options: CreateOptions, created: CreatedStudy, tmp_path: Path
) -> None:
    again = create_study(folders, options, tmp_path / "again.zip")
    assert again.path.read_bytes() == created.path.read_bytes()
    with pytest.raises(RunError, match="exists already"):
        create_study(folders, options, tmp_path / "again.zip")


def test_a_study_can_be_rehearsed_and_analysed(created: CreatedStudy) -> None:
    analysis = analyse(created.study, rehearse(created.study, ListenerModel((0.7, 0.3)), 4, seed=1))
    assert analysis.simulated
    assert [arm.name for arm in analysis.arms] == ["human", "lstm"]


@pytest.mark.e2e
def test_a_leak_is_refused_and_nothing_is_written(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cantilena.listening.study.create.find_leaks", lambda *_, **__: [Leak("lstm", "pace", 0.9, 0.001)]
    )
    with pytest.raises(InputError, match="lstm can be told from human clips by pace alone"):
        create_study(folders, OPTIONS, tmp_path / "study.zip")
    assert not (tmp_path / "study.zip").exists()


@pytest.mark.e2e
def test_a_faster_arm_is_refused_unless_it_is_accepted(tmp_path: Path) -> None:
    human = write_melodies(tmp_path / "human", range(16))
    fast = write_melodies(tmp_path / "fast", range(20, 44), step=12)
    options = CreateOptions(clips=12, trials=6, listeners=4, shortest=4, longest=6)
    with pytest.raises(InputError, match=r"fast can be told from human clips by .*pace.* alone"):
        create_study({"human": human, "fast": fast}, options, tmp_path / "study.zip")
    assert not (tmp_path / "study.zip").exists()
    accepted = replace(options, accept=("pace", "silence", "loudness", "register", "length"))
    created = create_study({"human": human, "fast": fast}, accepted, tmp_path / "study.zip")
    assert created.study.checks["accepted"] == ["length", "loudness", "pace", "register", "silence"]
    assert any(leak["by"] == "pace" and leak["area"] > 0.9 for leak in created.study.checks["found"])


def test_too_few_melodies_are_reported(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lstm has 6 melodies with whole phrases of 2 to 3 seconds, and 7 are needed"):
        create_study(folders, replace(OPTIONS, clips=7), tmp_path / "study.zip")
    with pytest.raises(InputError, match="is not a folder"):
        create_study({"human": tmp_path / "no", "lstm": folders["lstm"]}, OPTIONS, tmp_path / "study.zip")
