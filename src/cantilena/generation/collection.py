"""A folder of melodies to hear, see and use: four files each, and a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.errors import RunError
from cantilena.generation.composition import Composition
from cantilena.io import write
from cantilena.music import Melody
from cantilena.runtime import progress, read_json, write_json

SUFFIXES = (".mid", ".musicxml", ".svg", ".wav")
"""What each melody is written as: to play, to edit, to see, to hear."""

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class WrittenMelody:
    """One melody and its files.

    Args:
        melody: what was written.
        files: the path of each form, by suffix without the dot.
    """

    melody: Melody
    files: dict[str, Path]

    def facts(self) -> dict[str, Any]:
        """What `compose --json` says of it."""
        own = self.melody if isinstance(self.melody, Composition) else None
        return {
            **{kind: str(path) for kind, path in self.files.items()},
            "tokens": list(own.tokens) if own is not None else None,
            "seconds": round(self.melody.seconds, 6),
            "key": self.melody.key.name if self.melody.key else None,
            "log_likelihood": own.log_likelihood if own is not None else None,
            "policy_log_likelihood": own.policy_log_likelihood if own is not None else None,
            "rules_broken": own.rules_broken if own is not None else None,
        }


def write_melodies(
    melodies: Sequence[Melody],
    folder: Path,
    *,
    force: bool = False,
    manifest: dict[str, Any] | None = None,
    quiet: bool = False,
    expressive: bool = False,
) -> list[WrittenMelody]:
    """Write melodies as `001.mid`, `001.musicxml`, `001.svg`, `001.wav`, ... and `manifest.json`.

    The manifest is written last: a folder that has one is complete.

    Args:
        melodies: what to write.
        folder: made if missing.
        force: replace melodies that are there.
        manifest: what else the manifest shall say: the bundle, the seed, the options.
        quiet: show no progress.
        expressive: MIDI and sound are played with expression.

    Raises:
        RunError: there are melodies in the folder, and `force` is off.
        InputError: the disk said no.
    """
    check_free(folder, len(melodies), force=force)
    take_away(folder)
    digits = _digits(len(melodies))
    written = []
    with progress(f"Writing {folder.name}", total=len(melodies), unit="melodies", quiet=quiet) as bar:
        for number, melody in enumerate(melodies, start=1):
            files = {suffix[1:]: folder / f"{number:0{digits}}{suffix}" for suffix in SUFFIXES}
            for path in files.values():
                write(melody, path, overwrite=force, expressive=expressive)
            written.append(WrittenMelody(melody, files))
            bar.advance()
    rows = [{**one.facts(), **{kind: path.name for kind, path in one.files.items()}} for one in written]
    write_json(folder / _MANIFEST, {**(manifest or {}), "melodies": rows})
    return written


def check_free(folder: Path, melodies: int, *, force: bool = False) -> None:
    """Refuse a folder to which so many melodies could not be written, before they are composed.

    Args:
        folder: where they are to go; need not exist.
        melodies: how many.
        force: whether melodies that are there may be replaced.

    Raises:
        RunError: it is no folder, or there are melodies in it, and `force` is off.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, not a folder", "give another --out")
    if force:
        return
    if (folder / _MANIFEST).exists():
        raise RunError(f"{folder} holds melodies already", "give another --out, or --force to replace them")
    digits = _digits(melodies)
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        numbered = path.suffix in SUFFIXES and path.stem.isdecimal() and len(path.stem) == digits
        if numbered and 1 <= int(path.stem) <= melodies:
            raise RunError(f"{path} exists already", "give another --out, or --force to replace it")


def take_away(folder: Path) -> None:
    """Remove the melodies that a folder's manifest names, and the manifest first; other files stay."""
    if not is_complete(folder):
        return
    rows = read_json(folder / _MANIFEST).get("melodies")
    (folder / _MANIFEST).unlink()
    for row in rows if isinstance(rows, list) else []:
        names = [row.get(suffix[1:]) for suffix in SUFFIXES] if isinstance(row, dict) else []
        for name in names:
            # A manifest that somebody wrote by hand must not reach beyond its folder.
            if isinstance(name, str) and Path(name).name == name and Path(name).suffix in SUFFIXES:
                (folder / name).unlink(missing_ok=True)


def is_complete(folder: Path) -> bool:
    """Whether a folder of melodies was written to its end."""
    return (folder / _MANIFEST).is_file() and isinstance(read_json(folder / _MANIFEST), dict)


def _digits(melodies: int) -> int:
    """How many digits the names have: `001`."""
    return max(3, len(str(melodies)))
