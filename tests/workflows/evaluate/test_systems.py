"""The systems of an evaluation and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cantilena.errors import InputError, UsageError
from cantilena.workflows.evaluate.systems import SystemSpec, parse_systems


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one/melodies", "other/melodies", "ngram", "a=b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tune.mid").write_bytes(b"MThd")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "name", "kind"),
    [
        ("one/melodies/", "melodies", "folder"),  # the last part of the path
        ("mine=other/melodies", "mine", "folder"),
        ("ngram", "ngram", "baseline"),
        ("./ngram", "ngram", "folder"),
        ("tunes", "tunes.safetensors", "bundle"),
        ("./a=b", "a=b", "folder"),  # the sign belongs to the path
        ("mine=./a=b", "mine", "folder"),
    ],
)
def test_names_and_kinds(scores: Path, word: str, name: str, kind: str) -> None:
    (spec,) = parse_systems([word])
    assert spec.kind == kind
    assert spec.name in (name, name.removesuffix(".safetensors"))
    assert str(spec.source).endswith(word.partition("=")[2] or word) or kind == "bundle"


def test_the_folder_of_a_run_means_the_bundle_in_it(scores: Path) -> None:
    for name in ("model", "checkpoint"):
        (scores / "ngram" / f"{name}.safetensors").write_bytes(b"")
    found = parse_systems([f"mine={scores}/ngram"])
    assert found == [SystemSpec("mine", "bundle", f"{scores}/ngram/model.safetensors")]


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["one/melodies", "other/melodies"], UsageError, "both called"),
        (["x=one/melodies", "x=ngram"], UsageError, "both called"),
        (["tunes", "tunes"], UsageError, "both called"),
        *(([word], UsageError, "empty path|no name") for word in ("", " ", "=", "name=", "=tunes")),
        *(([word], InputError, "nothing to evaluate") for word in ("missing", "mine=missing/x", "nothing.safetensors")),
        (["tune.mid"], InputError, "one file"),
    ],
)
def test_what_names_no_system_is_refused(scores: Path, words: list[str], error: type, message: str) -> None:
    with pytest.raises(error, match=message) as refused:
        parse_systems(words)
    assert refused.value.hint
