"""`cantilena compose`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Count, Flags, Positional, Seed
from cantilena.data import ReadLimits
from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, LatentOptions
from cantilena.io import InstrumentName, Pattern
from cantilena.models import Precision
from cantilena.models.shipped import DEFAULT, DEFAULT_VAE

if TYPE_CHECKING:
    from cantilena.generation import Composer, Composition

_STEPS, _AMOUNT = 5, 0.3
_LOSSES = {"folded": "moved by octaves", "rounded": "moved in time", "dropped": "left out"}


def run(
    bundle: Positional[str | None] = None,
    *,
    options: ComposeOptions,
    latent: LatentOptions,
    n: Count = 8,
    of: Path | None = None,
    out: Path = Path("melodies"),
    expressive: bool = False,
    accompaniment: Pattern = "block",
    staves: Literal[1, 2] = 1,
    instrument: InstrumentName = "piano",
    copy_check: bool = True,
    against: str = "",
    precision: Precision = "float32",
    limits: ReadLimits,
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Compose melodies with a trained model.

    Each melody becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to hear. With --of FILE
    --bars 5-8 those bars of a piece are rewritten so that they fit what comes before and after. A VAE also
    interpolates between two melodies (--interpolate A B) and varies a melody (--vary A).

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena; by default tunes, or
            tunes-vae with --interpolate or --vary.
        of: A piece whose bars are rewritten: a MIDI, MusicXML, ABC or kern file, or a tune of a book such as BOOK#3.
            Bars count from 1, a pickup is bar 0.
        out: The folder to write.
        expressive: Play the MIDI and sound files with expression: phrases swell and ebb, strong beats are stressed.
        accompaniment: How the chords of a melody are played in MIDI and sound.
        staves: 2 writes them out on a second staff, in MusicXML and in the score.
        instrument: What plays the MIDI and sound files.
        copy_check: Check whether a melody copies more of the model's training data than human melodies share with it.
        against: The corpus of the copy check: a corpus file, a folder of scores, or the name of one that ships; by
            default the one that the model was trained on, if that ships.
        precision: The type of the products of networks with over 5 million parameters; auto is bfloat16 if the
            processor supports it: three times as fast for many melodies, and other melodies for the same seed.
        force: Replace melodies in the folder.

    Example:
        cantilena compose -n 4 --bars 8 --primer "D4 E4 F4/8 G4/8 A4/2" --key "D minor" --out idea
        cantilena compose -n 4 --bars 5-8 --of idea/001.mid --out again
        cantilena compose --primer airs.abc#3 --out on
        cantilena compose --interpolate idea/001.mid idea/002.mid --steps 5 --out way
        cantilena compose --vary "C4 D4 E4/2 G4 E4 C4/2" --amount 0.3 -n 4 --out varied
    """
    if bundle is None:
        bundle = DEFAULT_VAE if latent.flag else DEFAULT
    from cantilena.generation import InfillSpan, check_output_folder, check_staves, load, primer_of, write_melodies
    from cantilena.workflows import CopyCheck, check_copies

    if latent.flag and of is not None:
        raise UsageError(f"--of and {latent.flag} together", "give one of them")
    bars = options.bars_to_rewrite() if of is not None else None
    if latent.interpolate is not None:
        n = _STEPS if latent.steps is None else latent.steps
    check_staves(staves, accompaniment)
    check_output_folder(out, n, force=force)
    composer = load(bundle, precision)
    about: dict[str, Any] = {"model": composer.name, "seed": seed, "constrain": options.constrain}
    lost: Mapping[str, Mapping[str, int]] = {}
    if latent.flag:
        melodies, lost = _in_latent_space(composer, latent, options, n, seed, limits)
        about |= {"interpolate": latent.interpolate} if latent.interpolate else {"vary": latent.vary}
        about |= {"codes_lack": lost}
    elif of is not None and bars is not None:
        from cantilena.data import read_melody

        piece = read_melody(of, limits.read_options())
        melodies = composer.rewrite(piece, bars.first, bars.last, options, melodies=n, seed=seed)
        about |= {"of": of.name, "bars": [bars.first, bars.last]}
    else:
        options = options.replace(primer=primer_of(options, limits) or "")
        melodies = composer.compose_many(n, options, seed=seed)
    written = write_melodies(
        melodies,
        out,
        force=force,
        manifest=about,
        expressive=expressive,
        accompaniment=accompaniment,
        staves=staves,
        instrument=instrument,
    )
    given = (0, n - 1) if latent.interpolate else range(n if latent.amount == 0 else 0)
    new = [row for row in range(n) if row not in given]
    candidates = [melodies[row] for row in new]
    if bars is not None:  # what comes after the new bars is not new
        candidates = [one.until(InfillSpan.from_bars(one, bars).end) for one in candidates]
    checked = check_copies(bundle, candidates, against, limits) if copy_check else CopyCheck(())
    files = ", ".join(path.name for path in written[0].files.values())
    lines = [
        f"{'1 melody' if n == 1 else f'{n} melodies'} of {melodies[0].seconds:.3g} s in {out}: "
        f"{files}{', ...' if n > 1 else ''}"
    ]
    if options.constrain:
        broken = sum(one.rules_broken or 0 for one in melodies)
        lines.append(f"rules were broken {broken} times, where no token kept all" if broken else "all rules were kept")
    mode, learned = melodies[0].key.mode if melodies[0].key else "major", composer.modes or ("major", "minor")
    if not latent.flag and of is None and mode not in learned:
        lines.append(f"warning: {composer.name} has learned {', '.join(learned)}: it does not know the tonic of {mode}")
    for name, counts in lost.items():
        changes = ", ".join(f"{count} {_LOSSES[kind]}" for kind, count in counts.items() if count)
        lines += [f"notes of {name} that its codes change: {changes}"] if changes else []
    lines += [f"note: {note}" for note in dict.fromkeys(one.form_note for one in melodies if one.form_note)]
    lines += [f"copies were not checked: {checked.reason}"] if checked.reason else []
    facts = [one.facts() for one in written]
    if bars is not None:
        facts = [{**row, "of": str(of), "bars": [bars.first, bars.last]} for row in facts]
    for row, one in zip(new, checked.melodies, strict=bool(checked.melodies)):
        facts[row]["copied"] = one.to_json()
        if one.is_copy and one.place is not None:
            number = written[row].files["mid"].stem
            usual = f"95 % of human melodies share {one.bound} at most"
            lines.append(f"warning: {number} copies: {one.place.text}; {usual}")
    return Answer({"melodies": facts, **({"codes_lack": lost} if latent.flag else {})}, text="\n".join(lines))


def _in_latent_space(
    composer: Composer, latent: LatentOptions, options: ComposeOptions, n: int, seed: int, limits: ReadLimits
) -> tuple[list[Composition], Mapping[str, Mapping[str, int]]]:
    """An interpolation or variations, and the notes of each given melody that its codes do not represent."""
    from cantilena.generation import LatentMelody, read_melody_or_notes

    if latent.interpolate is not None:
        first, last = (read_melody_or_notes(text, limits) for text in latent.interpolate)
        melodies = composer.interpolate(first, last, n, options)
        given = {"the first": first, "the last": last}
    else:
        melody = read_melody_or_notes(latent.vary or "", limits)
        amount = _AMOUNT if latent.amount is None else latent.amount
        melodies = composer.vary(melody, amount, options, melodies=n, seed=seed)
        given = {"the melody": melody}
    return melodies, {name: LatentMelody.encode(composer, one).lost() for name, one in given.items()}
