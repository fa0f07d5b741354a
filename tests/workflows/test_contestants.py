"""Who can be evaluated, and under which name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cantilena.errors import InputError, UsageError
from cantilena.workflows.evaluate.systems import SystemSpec, parse_systems


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    for name in ("one/melodies", "other/melodies", "ngram", "a=b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tune.mid").write_bytes(b"MThd")
    return tmp_path


def test_a_folder_is_called_by_the_last_part_of_its_path(scores: Path) -> None:
    found = parse_systems([f"{scores}/one/melodies/", f"mine={scores}/other/melodies", "ngram", "tunes"])
    assert [(one.name, one.kind) for one in found] == [
        ("melodies", "folder"), ("mine", "folder"), ("ngram", "baseline"), ("tunes", "bundle"),
    ]  # fmt: skip


def test_the_sign_may_stand_in_a_path(scores: Path) -> None:
    assert parse_systems([f"{scores}/a=b"]) == [SystemSpec("a=b", "folder", f"{scores}/a=b")]
    assert parse_systems([f"mine={scores}/a=b"])[0].name == "mine"


def test_a_folder_named_like_a_baseline_is_meant_by_its_path(scores: Path) -> None:
    assert parse_systems([f"{scores}/ngram"])[0].kind == "folder"


@pytest.mark.parametrize(
    "words", [["one/melodies", "other/melodies"], ["x=one/melodies", "x=ngram"], ["tunes", "tunes"]]
)
def test_two_of_one_name_are_refused(scores: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scores)
    with pytest.raises(UsageError, match="both called"):
        parse_systems(words)


@pytest.mark.parametrize("word", ["", " ", "=", "name=", "=tunes"])
def test_what_names_nothing_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        parse_systems([word])


@pytest.mark.parametrize("word", ["missing", "mine=missing/folder", "nothing.safetensors"])
def test_what_is_not_there_is_said_in_the_users_words(word: str) -> None:
    with pytest.raises(InputError, match="nothing to evaluate") as refused:
        parse_systems([word])
    assert "baseline" in refused.value.hint


def test_a_single_score_is_no_system(scores: Path) -> None:
    with pytest.raises(InputError, match="one file"):
        parse_systems([f"{scores}/tune.mid"])


def test_a_runs_folder_is_the_bundle_that_it_left(scores: Path) -> None:
    for name in ("model", "checkpoint"):
        (scores / "ngram" / f"{name}.safetensors").write_bytes(b"")
    found = parse_systems([f"mine={scores}/ngram"])[0]
    assert (found.kind, found.source) == ("bundle", f"{scores}/ngram/model.safetensors")
