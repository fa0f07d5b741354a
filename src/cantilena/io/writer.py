"""Writing a melody to a file: the suffix says in which format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cantilena.errors import InputError, UsageError
from cantilena.music import Melody
from cantilena.runtime import write_bytes

# Each is imported where it is used: writing MIDI must not wait for the engraver.


def _midi(melody: Melody, *, expressive: bool) -> bytes:
    from cantilena.io.midi.writer import midi_bytes

    return midi_bytes(melody, expressive=expressive)


def _musicxml(melody: Melody) -> bytes:
    from cantilena.io.notation.musicxml_writer import musicxml

    return musicxml(melody).encode()


def _svg(melody: Melody) -> bytes:
    from cantilena.io.engraving.engraving import score_svg

    return score_svg(melody).encode()


def _wav(melody: Melody, *, expressive: bool) -> bytes:
    from cantilena.io.sound.wav_writer import wav_bytes

    return wav_bytes(melody, expressive=expressive)


def _abc(melody: Melody) -> bytes:
    from cantilena.io.notation.abc_writer import abc

    return abc(melody).encode()


_PLAYED: dict[str, Callable[..., bytes]] = {".mid": _midi, ".midi": _midi, ".wav": _wav}
_WRITTEN: dict[str, Callable[[Melody], bytes]] = {
    ".musicxml": _musicxml,
    ".xml": _musicxml,
    ".svg": _svg,
    ".abc": _abc,
}

WRITABLE = (".mid", ".midi", ".musicxml", ".xml", ".svg", ".wav", ".abc")
"""The suffixes that `write` knows."""


def write(melody: Melody, path: str | Path, *, overwrite: bool = True, expressive: bool = False) -> None:
    """Write a melody to a file, whole or not at all; the same melody gives the same bytes.

    Args:
        melody: the melody.
        path: where to; its suffix (in any case) says the format: MIDI, MusicXML, an engraved score as SVG, piano sound,
            ABC.
        overwrite: whether a file already there may be replaced.
        expressive: play it with expression (`performed`) where it is MIDI or sound; a score is the same.

    Raises:
        UsageError: a suffix of no format that we write, or a melody that the format cannot hold.
        RunError: something is there and `overwrite` is off.
        InputError: the disk said no.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "idea.mid"
        >>> write(Melody.from_pitches([(60, 24), (62, 24), (64, 48)]), target)
        >>> target.read_bytes()[:4]
        b'MThd'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        asked = f"'{path.suffix}'" if path.suffix else f"'{path.name}', which has no suffix"
        raise UsageError(f"no format for {asked}", f"name a file that ends in one of {', '.join(WRITABLE)}")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder", "give another name")
    played = _PLAYED.get(suffix)
    content = played(melody, expressive=expressive) if played is not None else _WRITTEN[suffix](melody)
    write_bytes(path, content, overwrite=overwrite)
