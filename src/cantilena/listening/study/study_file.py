"""A study as one file: a ZIP of `study.json` and the clips, named so that they tell nothing, each with its hash.

The digest is the SHA-256 of the study as canonical JSON, which holds the hash of every clip: whoever has the digest can
show that neither a clip nor a rule was changed after the first listener. The same study gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cantilena.errors import InputError
from cantilena.listening.study.study import Study
from cantilena.runtime import json_text, write_bytes

FORMAT = "cantilena listening study 1"
"""What `study.json` says it is."""

_MOST_BYTES = 2 * 2**30
_MOST_JSON = 64 * 2**20
_MOST_CLIP = 64 * 2**20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_ID = re.compile(r"[0-9a-f]{16}")
_HINT = "name a file that `cantilena listen create` wrote"


def digest_of(study: Study) -> str:
    """The SHA-256 of a study.

    Example:
        >>> len(digest_of(Study("Ours", ("human", "lstm"), (), ())))
        64
    """
    return _digest(study.to_json())


def write_study(study: Study, sounds: Mapping[str, bytes], path: Path, *, overwrite: bool = False) -> str:
    """Write a study and its clips, whole or not at all.

    Args:
        study: the study.
        sounds: the file of each clip, by its id.
        path: where to.
        overwrite: whether a file that is there may be replaced.

    Returns:
        The digest.

    Raises:
        RunError: something is there and `overwrite` is off.
        InputError: the disk said no.
    """
    value = study.to_json()
    digest = _digest(value)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        whole = {"format": FORMAT, "digest": digest, "study": value}
        archive.writestr(zipfile.ZipInfo("study.json", _LONG_AGO), json_text(whole))
        for clip in sorted(study.clips, key=lambda clip: clip.id):
            archive.writestr(zipfile.ZipInfo(f"clips/{clip.id}.flac", _LONG_AGO), sounds[clip.id])
    write_bytes(path, content.getvalue(), overwrite=overwrite)
    return digest


def read_study(path: Path) -> Study:
    """Read a study without its clips, and check that nothing in it was changed.

    Raises:
        InputError: it cannot be read, is no study, or was changed.
    """
    with _opened(path) as archive:
        try:
            whole = json.loads(_member(archive, "study.json", _MOST_JSON))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a study", _HINT) from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT or not isinstance(whole.get("study"), dict):
        raise InputError(f"{path} is not a study", _HINT)
    if _digest(whole["study"]) != whole.get("digest"):
        raise InputError(f"{path} was changed after it was made", "use the file as it was made, or make another")
    study = Study.from_json(whole["study"], str(whole["digest"]))
    for clip in study.clips:
        if not isinstance(clip.id, str) or not _ID.fullmatch(clip.id):
            raise InputError(f"{path} names a clip as we do not", _HINT)
    return study


def clip_bytes(path: Path, study: Study, name: str) -> bytes:
    """The FLAC file of one clip, checked by its hash.

    Args:
        path: of the study.
        study: as it was read.
        name: the clip's id.

    Raises:
        InputError: there is no such clip, or it was changed.
    """
    clip = study.by_id.get(name)
    if clip is None:
        raise InputError(f"the study has no clip {name[:20]!r}", "name one of its clips")
    with _opened(path) as archive:
        content = _member(archive, f"clips/{clip.id}.flac", _MOST_CLIP)
    if hashlib.sha256(content).hexdigest() != clip.sha256:
        raise InputError(f"clip {clip.id} of {path} was changed after it was made", "use the file as it was made")
    return content


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        if not path.is_file():
            raise InputError(f"there is no study at {path}", _HINT)
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large for a study", _HINT)
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a study", _HINT) from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file of the archive, which is never unpacked to disk; one that says it is too large is not read."""
    try:
        with archive.open(name) as file:
            content = file.read(most + 1)
    except (KeyError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{archive.filename} holds no {name} that can be read", _HINT) from error
    if len(content) > most:
        raise InputError(f"{name} in {archive.filename} is too large", _HINT)
    return content


def _digest(value: Any) -> str:  # noqa: ANN401  (JSON)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
