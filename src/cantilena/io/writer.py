"""Writing a melody to a file, in the format of its suffix."""

from __future__ import annotations

from pathlib import Path

from cantilena.errors import InputError, UsageError
from cantilena.music import Melody
from cantilena.runtime import write_bytes

WRITABLE = (".mid", ".midi", ".musicxml", ".xml", ".svg", ".wav", ".abc")
"""The suffixes that `write` knows."""


def write(melody: Melody, path: str | Path, *, overwrite: bool = True, expressive: bool = False) -> None:
    """Write a melody to a file, atomically; the same melody gives the same bytes.

    Args:
        melody: the melody.
        path: the file; its suffix (in any case) names the format: MIDI, MusicXML, an engraved score as SVG, piano
            sound as WAV, ABC.
        overwrite: whether an existing file may be replaced.
        expressive: play MIDI and sound expressively, as `perform` does; scores are not affected.

    Raises:
        UsageError: the suffix is unknown, or the format cannot hold the melody.
        RunError: the file exists and `overwrite` is off.
        InputError: the file cannot be written.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "idea.mid"
        >>> write(Melody.from_pitches([(60, 24), (62, 24), (64, 48)]), target)
        >>> target.read_bytes()[:4]
        b'MThd'
    """
    path = Path(path)
    if path.suffix.lower() not in WRITABLE:
        given = f"'{path.suffix}'" if path.suffix else f"'{path.name}', which has no suffix"
        raise UsageError(f"no format for {given}", f"name a file that ends in one of {', '.join(WRITABLE)}")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder", "give another name")
    write_bytes(path, _encoded(melody, path.suffix.lower(), expressive=expressive), overwrite=overwrite)


def _encoded(melody: Melody, suffix: str, *, expressive: bool) -> bytes:
    # Each encoder is imported where it is used: writing MIDI must not wait for the engraver.
    match suffix:
        case ".mid" | ".midi":
            from cantilena.io.midi.writer import midi_bytes

            return midi_bytes(melody, expressive=expressive)
        case ".wav":
            from cantilena.io.sound.files import wav_bytes

            return wav_bytes(melody, expressive=expressive)
        case ".svg":
            from cantilena.io.engraving.engraving import score_svg

            return score_svg(melody).encode()
        case ".abc":
            from cantilena.io.notation.abc_writer import abc

            return abc(melody).encode()
        case _:
            from cantilena.io.notation.musicxml_writer import musicxml

            return musicxml(melody).encode()
