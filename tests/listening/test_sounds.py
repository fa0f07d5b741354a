"""The served sounds have one size, and the samples of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import InputError
from cantilena.io import read_sound
from cantilena.listening import clip_bytes, read_study
from cantilena.listening.server.sounds import EqualSounds, padded


def test_all_sounds_have_one_size_and_unchanged_samples(tone_study_file: Path) -> None:
    study = read_study(tone_study_file)
    sounds = EqualSounds(tone_study_file, study)
    before = [clip_bytes(tone_study_file, study, clip.id) for clip in study.clips]
    after = [sounds[clip.id] for clip in study.clips]
    assert len({len(content) for content in before}) > 3
    assert {len(content) for content in after} == {sounds.size}
    for original, served in zip(before, after, strict=True):
        np.testing.assert_array_equal(read_sound(served)[0], read_sound(original)[0])


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"fLaC" + bytes(60)])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="FLAC"):
        padded(content, 1000)


def test_impossible_sizes_are_refused(tone_study_file: Path) -> None:
    study = read_study(tone_study_file)
    content = clip_bytes(tone_study_file, study, study.clips[0].id)
    for size in (len(content), len(content) + 2**25):
        with pytest.raises(ValueError, match="sizes"):
            padded(content, size)


def test_a_changed_study_file_is_refused(tone_study_file: Path, tmp_path: Path) -> None:
    content = tone_study_file.read_bytes()
    at = content.index(b"fLaC") + 60
    changed = tmp_path / "study.zip"
    changed.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(InputError):
        EqualSounds(changed, read_study(tone_study_file))
