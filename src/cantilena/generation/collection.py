"""A folder of melodies to hear, see and use: four files each, and a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.errors import RunError
from cantilena.formats import write
from cantilena.generation.composer import Composition
from cantilena.music import Melody
from cantilena.runs import progress, read_json, write_json

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
        composed = isinstance(self.melody, Composition)
        return {
            **{kind: str(path) for kind, path in self.files.items()},
            "tokens": list(self.melody.tokens) if isinstance(self.melody, Composition) else None,
            "seconds": round(self.melody.seconds, 6),
            "key": self.melody.key.name if self.melody.key else None,
            "log_likelihood": self.melody.log_likelihood if isinstance(self.melody, Composition) else None,
            "policy_log_likelihood": self.melody.policy_log_likelihood if composed else None,  # type: ignore[attr-defined]
        }


def write_melodies(
    melodies: Sequence[Melody],
    folder: Path,
    *,
    force: bool = False,
    manifest: dict[str, Any] | None = None,
    quiet: bool = False,
) -> list[WrittenMelody]:
    """Write melodies as `001.mid`, `001.musicxml`, `001.svg`, `001.wav`, ... and `manifest.json`.

    The manifest is written last: a folder that has one is complete.

    Args:
        melodies: what to write.
        folder: made if missing.
        force: replace melodies that are there.
        manifest: what else the manifest shall say: the bundle, the seed, the options.
        quiet: show no progress.

    Raises:
        RunError: there are melodies in the folder, and `force` is off.
        InputError: the disk said no.
    """
    if not force and (folder / _MANIFEST).exists():
        raise RunError(f"{folder} holds melodies already", "give another --out, or --force to replace them")
    take_away(folder)
    digits = max(3, len(str(len(melodies))))
    written = []
    with progress(f"Writing {folder.name}", total=len(melodies), unit="melodies", quiet=quiet) as bar:
        for number, melody in enumerate(melodies, start=1):
            files = {suffix[1:]: folder / f"{number:0{digits}}{suffix}" for suffix in SUFFIXES}
            for path in files.values():
                write(melody, path, overwrite=force)
            written.append(WrittenMelody(melody, files))
            bar.advance()
    rows = [{**one.facts(), **{kind: path.name for kind, path in one.files.items()}} for one in written]
    write_json(folder / _MANIFEST, {**(manifest or {}), "melodies": rows})
    return written


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
