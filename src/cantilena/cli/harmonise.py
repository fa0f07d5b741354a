"""`cantilena harmonise`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Count, Flags, Positional, Seed
from cantilena.data import ReadLimits
from cantilena.io import InstrumentName, Pattern
from cantilena.models.harmony.options import Every, Style


def run(
    melody: Positional[str],
    *,
    n: Count = 3,
    style: Style = "lied",
    every: Every = "beat",
    out: Path = Path("harmonies"),
    expressive: bool = False,
    accompaniment: Pattern = "block",
    staves: Literal[1, 2] = 1,
    instrument: InstrumentName = "piano",
    limits: ReadLimits,
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Find chords for a melody, and write it with them.

    Each harmony, the most probable first, becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to
    hear.

    Args:
        melody: A MIDI, MusicXML, ABC or kern file, a tune of a book such as BOOK#3, or notes such as "C4 D4 E4/2".
        style: Whose harmony is imitated: that of Bach's chorales, or of songs with piano of the 19th century.
        every: Where chords may change.
        out: The folder to write.
        expressive: Play the MIDI and sound files with expression.
        accompaniment: How the chords are played in MIDI and sound.
        staves: 2 writes them out on a second staff, in MusicXML and in the score.
        instrument: What plays the MIDI and sound files.
        force: Replace melodies in the folder.

    Example:
        cantilena harmonise tune.musicxml --style chorale --every half-bar --out harmonies
        cantilena harmonise "C4 E4 G4/2 F4 D4 C4/2" -n 1 --out idea
    """
    from cantilena.generation import check_output_folder, check_staves, harmonise, read_melody_or_notes, write_melodies

    check_staves(staves, accompaniment)
    check_output_folder(out, n, force=force)
    given = read_melody_or_notes(melody, limits)
    harmonies = harmonise(given, n, style=style, every=every, seed=seed)
    about = {"style": style, "every": every, "seed": seed}
    written = write_melodies(
        harmonies,
        out,
        force=force,
        manifest=about,
        expressive=expressive,
        accompaniment=accompaniment,
        staves=staves,
        instrument=instrument,
    )
    rows = [
        {
            **{suffix: str(path) for suffix, path in files.files.items()},
            "log_likelihood": one.log_likelihood,
            "chords": one.chords_json(),
        }
        for files, one in zip(written, harmonies, strict=True)
    ]
    lines = [f"{len(rows)} of {n} in {out}, the most probable first:" if len(rows) < n else f"in {out}:"]
    for files, one in zip(written, harmonies, strict=True):
        sheet = one.chords.lead_sheet(one.meter, one.length, one.pickup, one.key)
        lines.append(f"{files.files['mid'].stem}  {sheet}")
    return Answer({"harmonies": rows}, text="\n".join(lines))
