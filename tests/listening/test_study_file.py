"""The study file: the same bytes, nothing changed unseen, nothing hostile obeyed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cantilena.errors import InputError, RunError
from cantilena.listening import Clip, Slot, Study, clip_bytes, digest_of, read_study, write_study

SOUNDS = {"0" * 16: b"la", "1" * 16: b"lala"}


def small() -> Study:
    clips = tuple(
        Clip(name, "item", arm, 1.0, -23.0, hashlib.sha256(SOUNDS[name]).hexdigest(), about={"key": "C major"})
        for name, arm in zip(SOUNDS, ("human", "lstm"), strict=True)
    )
    return Study("Ours", ("human", "lstm"), clips, (tuple(Slot("item", name) for name in SOUNDS),))


def rewritten(path: Path, **changes: object) -> Path:
    """The same archive with other members."""
    other = path.with_name("other.zip")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            content = changes.get(name, archive.read(name))
            if content is not None:
                changed.writestr(name, content)
    return other


def test_what_is_written_is_read_and_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    digest = write_study(small(), SOUNDS, tmp_path / "a.zip")
    write_study(small(), SOUNDS, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    study = read_study(tmp_path / "a.zip")
    assert study == replace(small(), digest=digest)
    assert digest == digest_of(study)
    assert clip_bytes(tmp_path / "a.zip", study, "1" * 16) == b"lala"


def test_a_changed_rule_and_a_changed_clip_are_noticed(tmp_path: Path) -> None:
    write_study(small(), SOUNDS, tmp_path / "a.zip")
    whole = json.loads(zipfile.ZipFile(tmp_path / "a.zip").read("study.json"))
    whole["study"]["screening"]["attention"] = False
    with pytest.raises(InputError, match="was changed after it was made"):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": json.dumps(whole)}))
    other = rewritten(tmp_path / "a.zip", **{f"clips/{'1' * 16}.flac": b"boo"})
    with pytest.raises(InputError, match="was changed after it was made"):
        clip_bytes(other, read_study(other), "1" * 16)


def test_a_study_is_not_overwritten_unless_it_is_said(tmp_path: Path) -> None:
    write_study(small(), SOUNDS, tmp_path / "a.zip")
    with pytest.raises(RunError, match="exists already"):
        write_study(small(), SOUNDS, tmp_path / "a.zip")
    write_study(small(), SOUNDS, tmp_path / "a.zip", overwrite=True)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_what_is_no_study_is_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.zip").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a study"):
        read_study(tmp_path / "no.zip")
    with pytest.raises(InputError, match="there is no study"):
        read_study(tmp_path / "missing.zip")


@pytest.mark.parametrize(
    "text", ["[]", "{}", "{", '{"format": "cantilena listening study 1", "study": {}, "digest": ""}', "[" * 100_000]
)
def test_json_of_others_is_refused(tmp_path: Path, text: str) -> None:
    write_study(small(), SOUNDS, tmp_path / "a.zip")
    with pytest.raises(InputError):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": text}))


@pytest.mark.parametrize(
    ("place", "cell"),
    [(("clips", 0, "seconds"), "long"), (("clips", 0, "role"), "spy"), (("clips", 0), None), (("sessions",), 3),
     (("sessions", 0, 0, "kind"), "other"), (("screening", "attention"), 5), (("clips", 0, "more"), 1), (("arms",), 7),
     (("clips", 0, "id"), ["x"]), (("checks",), "x"), (("margin",), "wide")],
)  # fmt: skip
def test_a_consistent_file_with_wrong_values_is_refused(
    tmp_path: Path, place: tuple[str | int, ...], cell: object
) -> None:
    write_study(small(), SOUNDS, tmp_path / "a.zip")
    whole = json.loads(zipfile.ZipFile(tmp_path / "a.zip").read("study.json"))
    value = whole["study"]
    for step in place[:-1]:
        value = value[step]
    value[place[-1]] = cell
    canonical = json.dumps(whole["study"], sort_keys=True, separators=(",", ":"))
    whole["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    with pytest.raises(InputError):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": json.dumps(whole)}))


def test_names_cannot_lead_out_of_the_archive(tmp_path: Path) -> None:
    study = small()
    hostile = replace(study, clips=(replace(study.clips[0], id="../../x"), study.clips[1]), sessions=())
    write_study(hostile, {"../../x": b"", "1" * 16: b""}, tmp_path / "a.zip")
    with pytest.raises(InputError, match="names a clip as we do not"):
        read_study(tmp_path / "a.zip")
    with pytest.raises(InputError, match="has no clip"):
        clip_bytes(tmp_path / "a.zip", study, "../study.json")


def test_parts_that_do_not_fit_are_refused() -> None:
    study = small()
    with pytest.raises(InputError, match="arm `human`"):
        replace(study, arms=("lstm", "human"))
    with pytest.raises(InputError, match="arm that the study does not have"):
        replace(study, arms=("human", "tuned"))
    with pytest.raises(InputError, match="which there is not"):
        replace(study, sessions=((Slot("item", "f" * 16),),))
