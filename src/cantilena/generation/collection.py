"""A folder of melodies: four files each, and a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cantilena.errors import RunError, UsageError
from cantilena.generation.composition import Composition
from cantilena.io import InstrumentName, Pattern, write
from cantilena.io import accompaniment as accompanying_notes
from cantilena.music import Melody
from cantilena.runtime import progress, read_json, write_json

SUFFIXES = (".mid", ".musicxml", ".svg", ".wav")
"""The files of each melody."""

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class WrittenMelody:
    """A melody and its files, by suffix without the dot."""

    melody: Melody
    files: dict[str, Path]

    def facts(self) -> dict[str, Any]:
        """The entry of the melody in the answer of `compose --json`."""
        composed = self.melody if isinstance(self.melody, Composition) else None
        return {
            **{suffix: str(path) for suffix, path in self.files.items()},
            "tokens": None if composed is None else list(composed.tokens),
            "seconds": round(self.melody.seconds, 6),
            "key": self.melody.key.name if self.melody.key else None,
            "log_likelihood": None if composed is None else composed.log_likelihood,
            "policy_log_likelihood": None if composed is None else composed.policy_log_likelihood,
            "rules_broken": None if composed is None else composed.rules_broken,
            "plan": None if composed is None else composed.plan,
            "plan_reason": None if composed is None else composed.no_form or None,
            "chords": self.melody.chords.to_json(self.melody.length, self.melody.key),
        }


def write_melodies(
    melodies: Sequence[Melody],
    folder: Path,
    *,
    force: bool = False,
    manifest: dict[str, Any] | None = None,
    quiet: bool = False,
    expressive: bool = False,
    accompaniment: Pattern = "block",
    staves: Literal[1, 2] = 1,
    instrument: InstrumentName = "piano",
) -> list[WrittenMelody]:
    """Write melodies as `001.mid`, `001.musicxml`, `001.svg`, `001.wav`, ... and `manifest.json`.

    The manifest is written last: a folder with a manifest is complete.

    Args:
        melodies: what to write.
        folder: created if missing.
        force: replace melodies in the folder.
        manifest: further entries of the manifest: the model, the seed, the options.
        quiet: show no progress.
        expressive: play MIDI and sound with expression.
        accompaniment: how the chords of melodies that have any are played.
        staves: 2 writes the accompaniment on a second staff.
        instrument: what plays MIDI and sound.

    Raises:
        RunError: there are melodies in the folder, and `force` is False.
        InputError: a file cannot be written.
    """
    check_staves(staves, accompaniment)
    check_output_folder(folder, len(melodies), force=force)
    remove_melodies(folder)
    digits = _digits(len(melodies))
    written = []
    with progress(f"Writing {folder.name}", total=len(melodies), unit="melodies", quiet=quiet) as bar:
        for number, melody in enumerate(melodies, start=1):
            files = {suffix[1:]: folder / f"{number:0{digits}}{suffix}" for suffix in SUFFIXES}
            for path in files.values():
                write(
                    melody,
                    path,
                    overwrite=force,
                    expressive=expressive,
                    accompaniment=accompaniment,
                    staves=staves if staves == 1 or accompanying_notes(melody, accompaniment) else 1,
                    instrument=instrument,
                )
            written.append(WrittenMelody(melody, files))
            bar.advance()
    rows = [{**one.facts(), **{suffix: path.name for suffix, path in one.files.items()}} for one in written]
    write_json(folder / _MANIFEST, {**(manifest or {}), "melodies": rows})
    return written


def check_staves(staves: int, accompaniment: Pattern) -> None:
    """Check before composing that a second staff would hold something.

    Raises:
        UsageError: the chords are not to be played.
    """
    if staves == 2 and accompaniment == "none":
        raise UsageError("--staves 2 and --accompaniment none together", "leave out one of them")


def check_output_folder(folder: Path, melodies: int, *, force: bool = False) -> None:
    """Check before composing that a number of melodies can be written to a folder, which need not exist.

    Raises:
        RunError: it is not a folder, or there are melodies in it and `force` is False.
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


def remove_melodies(folder: Path) -> None:
    """Remove the manifest of a folder and the melodies that it names; other files stay."""
    if not is_complete(folder):
        return
    rows = read_json(folder / _MANIFEST).get("melodies")
    (folder / _MANIFEST).unlink()
    for row in rows if isinstance(rows, list) else []:
        names = [row.get(suffix[1:]) for suffix in SUFFIXES] if isinstance(row, dict) else []
        for name in names:
            # A manifest written by hand must not name files outside the folder.
            if isinstance(name, str) and Path(name).name == name and Path(name).suffix in SUFFIXES:
                (folder / name).unlink(missing_ok=True)


def is_complete(folder: Path) -> bool:
    """Whether a folder of melodies is complete."""
    return (folder / _MANIFEST).is_file() and isinstance(read_json(folder / _MANIFEST), dict)


def _digits(melodies: int) -> int:
    """Digits of the file names: 3 for `001`."""
    return max(3, len(str(melodies)))
