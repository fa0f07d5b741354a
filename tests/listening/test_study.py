"""Study files: the same bytes for the same study, detection of changes, and invalid or hostile files."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cantilena.errors import InputError, RunError
from cantilena.listening import Clip, Study, Trial, clip_bytes, read_study, study_digest, write_study

SOUNDS = {"0" * 16: b"la", "1" * 16: b"lala"}


def small_study() -> Study:
    clips = tuple(
        Clip(name, "item", arm, 1.0, -23.0, hashlib.sha256(SOUNDS[name]).hexdigest(), about={"key": "C major"})
        for name, arm in zip(SOUNDS, ("human", "lstm"), strict=True)
    )
    return Study("Ours", ("human", "lstm"), clips, (tuple(Trial("item", name) for name in SOUNDS),))


def rewritten(path: Path, **changes: object) -> Path:
    """The same archive with other members."""
    other = path.with_name("other.zip")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            content = changes.get(name, archive.read(name))
            if content is not None:
                changed.writestr(name, content)
    return other


def test_a_study_is_read_as_written_and_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    digest = write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    write_study(small_study(), SOUNDS, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    study = read_study(tmp_path / "a.zip")
    assert study == replace(small_study(), digest=digest)
    assert digest == study_digest(study)
    assert clip_bytes(tmp_path / "a.zip", study, "1" * 16) == b"lala"


def test_a_changed_rule_and_a_changed_clip_are_detected(tmp_path: Path) -> None:
    write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    record = json.loads(zipfile.ZipFile(tmp_path / "a.zip").read("study.json"))
    record["study"]["screening"]["attention"] = False
    with pytest.raises(InputError, match="was changed after it was created"):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": json.dumps(record)}))
    other = rewritten(tmp_path / "a.zip", **{f"clips/{'1' * 16}.flac": b"boo"})
    with pytest.raises(InputError, match="was changed after it was created"):
        clip_bytes(other, read_study(other), "1" * 16)


def test_a_study_is_overwritten_only_on_request(tmp_path: Path) -> None:
    write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    with pytest.raises(RunError, match="exists already"):
        write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    write_study(small_study(), SOUNDS, tmp_path / "a.zip", overwrite=True)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.zip").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a study"):
        read_study(tmp_path / "no.zip")
    with pytest.raises(InputError, match="there is no study"):
        read_study(tmp_path / "missing.zip")


@pytest.mark.parametrize(
    "text", ["[]", "{}", "{", '{"format": "cantilena listening study 1", "study": {}, "digest": ""}', "[" * 100_000]
)
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    with pytest.raises(InputError):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": text}))


@pytest.mark.parametrize(
    ("path", "value"),
    [(("clips", 0, "seconds"), "long"), (("clips", 0, "role"), "spy"), (("clips", 0), None), (("sessions",), 3),
     (("sessions", 0, 0, "kind"), "other"), (("screening", "attention"), 5), (("clips", 0, "more"), 1), (("arms",), 7),
     (("clips", 0, "id"), ["x"]), (("checks",), "x"), (("margin",), "wide")],
)  # fmt: skip
def test_invalid_values_with_a_correct_digest_are_refused(
    tmp_path: Path, path: tuple[str | int, ...], value: object
) -> None:
    write_study(small_study(), SOUNDS, tmp_path / "a.zip")
    record = json.loads(zipfile.ZipFile(tmp_path / "a.zip").read("study.json"))
    parent = record["study"]
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    canonical = json.dumps(record["study"], sort_keys=True, separators=(",", ":"))
    record["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    with pytest.raises(InputError):
        read_study(rewritten(tmp_path / "a.zip", **{"study.json": json.dumps(record)}))


def test_ids_of_clips_cannot_be_paths(tmp_path: Path) -> None:
    study = small_study()
    hostile = replace(study, clips=(replace(study.clips[0], id="../../x"), study.clips[1]), sessions=())
    write_study(hostile, {"../../x": b"", "1" * 16: b""}, tmp_path / "a.zip")
    with pytest.raises(InputError, match="not 16 hexadecimal digits"):
        read_study(tmp_path / "a.zip")
    with pytest.raises(InputError, match="has no clip"):
        clip_bytes(tmp_path / "a.zip", study, "../study.json")


def test_inconsistent_parts_are_refused() -> None:
    study = small_study()
    with pytest.raises(InputError, match="arms are lstm, human"):
        replace(study, arms=("lstm", "human"))
    with pytest.raises(InputError, match="not one of its arms"):
        replace(study, arms=("human", "tuned"))
    with pytest.raises(InputError, match="does not exist"):
        replace(study, sessions=((Trial("item", "f" * 16),),))
