"""Sounds of one size whose music is that of the study, sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.errors import InputError
from cantilena.listening.server.sounds import EqualSounds, padded
from cantilena.listening.study.clips import samples_of
from cantilena.listening.study.study import clip_bytes


def test_all_sounds_have_one_size_and_sound_as_before(tmp_path: Path, make_study: Any) -> None:
    path = tmp_path / "study.zip"
    study = make_study(path)
    sounds = EqualSounds(path, study)
    before = [clip_bytes(path, study, clip.id) for clip in study.clips]
    after = [sounds[clip.id] for clip in study.clips]
    assert len({len(content) for content in before}) > 3
    assert {len(content) for content in after} == {sounds.size}
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(samples_of(new), samples_of(old))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"fLaC" + bytes(60)])
def test_what_is_no_flac_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="FLAC"):
        padded(content, 1000)


def test_sizes_that_cannot_be_are_refused(tmp_path: Path, make_study: Any) -> None:
    path = tmp_path / "study.zip"
    study = make_study(path)
    content = clip_bytes(path, study, study.clips[0].id)
    for size in (len(content), len(content) + 2**25):
        with pytest.raises(ValueError, match="sizes"):
            padded(content, size)


def test_a_changed_study_file_is_refused(tmp_path: Path, make_study: Any) -> None:
    path = tmp_path / "study.zip"
    study = make_study(path)
    content = path.read_bytes()
    at = content.index(b"fLaC") + 60
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(InputError):
        EqualSounds(path, study)
