"""Writing a melody to a file, in the format of its suffix."""

from __future__ import annotations

from pathlib import Path

from cantilena.errors import InputError, UsageError
from cantilena.io.sound.accompaniment import Pattern
from cantilena.io.sound.accompaniment import accompaniment as accompanying_notes
from cantilena.io.sound.names import InstrumentName
from cantilena.music import Melody
from cantilena.runtime import write_bytes

WRITABLE = (".mid", ".midi", ".musicxml", ".xml", ".svg", ".wav", ".abc")
"""The suffixes that `write` knows."""


def write(
    melody: Melody,
    path: str | Path,
    *,
    overwrite: bool = True,
    expressive: bool = False,
    accompaniment: Pattern = "block",
    staves: int = 1,
    instrument: InstrumentName = "piano",
) -> None:
    """Write a melody to a file, atomically; the same melody gives the same bytes.

    Its chords are symbols in a score, a track of their own in MIDI, and an accompaniment in sound.

    Args:
        melody: the melody.
        path: the file; its suffix (in any case) names the format: MIDI, MusicXML, an engraved score as SVG, sound
            as WAV, ABC.
        overwrite: whether an existing file may be replaced.
        expressive: play MIDI and sound expressively, as `perform` does; scores are not affected.
        accompaniment: how the chords are played in MIDI and sound, and written in the lower of two staves: `block`,
            `arpeggio`, `bass-and-chord`, or `none`.
        staves: 1, or 2 for a piano's two staves in MusicXML and SVG, the chords written out in the lower one.
        instrument: what plays MIDI and sound: `piano`, `plucked`, `flute`, `strings` or `organ`.

    Raises:
        UsageError: the suffix, the accompaniment or the instrument is unknown, there are no chords for a second staff,
            or the format cannot hold the melody.
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
    content = _encoded(
        melody,
        path.suffix.lower(),
        expressive=expressive,
        pattern=accompaniment,
        staves=staves,
        instrument=instrument,
    )
    write_bytes(path, content, overwrite=overwrite)


def _encoded(
    melody: Melody, suffix: str, *, expressive: bool, pattern: Pattern, staves: int, instrument: InstrumentName
) -> bytes:
    if staves not in (1, 2):
        raise UsageError(f"a score must have 1 or 2 staves, got {staves}", "give 2 for melody and accompaniment")
    lower = accompanying_notes(melody, pattern) if staves == 2 else ()
    if staves == 2 and not lower:
        raise UsageError("there are no chords for the second staff", "give a melody with chords and a pattern for them")
    # Each encoder is imported where it is used: writing MIDI must not wait for the engraver.
    match suffix:
        case ".mid" | ".midi":
            from cantilena.io.midi.writer import midi_bytes

            return midi_bytes(melody, expressive=expressive, pattern=pattern, instrument=instrument)
        case ".wav":
            from cantilena.io.sound.files import wav_bytes

            return wav_bytes(melody, expressive=expressive, pattern=pattern, instrument=instrument)
        case ".svg":
            from cantilena.io.engraving.engraving import score_svg

            return score_svg(melody, lower=lower).encode()
        case ".abc":
            from cantilena.io.notation.abc_writer import abc

            return abc(melody).encode()
        case _:
            from cantilena.io.notation.musicxml_writer import musicxml

            return musicxml(melody, lower=lower).encode()
