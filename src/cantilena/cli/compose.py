"""`cantilena compose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Count, Flags, Positional, Seed
from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, LatentOptions, SamplingOptions
from cantilena.models import Precision
from cantilena.models.shipped import DEFAULT, DEFAULT_VAE

if TYPE_CHECKING:
    from cantilena.generation import BarRange, Composer, Composition, WrittenMelody


def run(
    bundle: Positional[str | None] = None,
    *,
    options: ComposeOptions,
    sampling: SamplingOptions,
    latent: LatentOptions,
    n: Count = 8,
    of: Path | None = None,
    out: Path = Path("melodies"),
    expressive: bool = False,
    copy_check: bool = True,
    against: str = "",
    precision: Precision = "float32",
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Compose melodies with a trained model.

    Each melody becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to hear. With --of FILE
    --bars 5-8 those bars of a piece are written anew, so that they fit what comes before and after; the rest stays.
    A VAE also goes from one melody to another (--interpolate A B) and varies one by more or less (--vary A).

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena; tunes+rl if left out, or
            tunes-vae with --interpolate or --vary.
        of: A piece whose bars are rewritten: a MIDI, MusicXML, ABC or kern file. Bars count from 1, a pickup is bar 0.
        out: The folder to write.
        expressive: Play the MIDI and sound files with expression: phrases swell and ebb, strong beats are stressed.
        copy_check: Look whether a melody copies more of what its model learned than people's melodies borrow.
        against: The corpus to look for copies in: a corpus file, a folder of scores, or the name of one that ships; the
            one that the model learned if left out, where that ships.
        precision: What networks of over 5 million weights multiply in; auto is bfloat16 where the processor gains by
            it: three times as fast for many melodies, and other melodies from the same seed.
        force: Replace melodies that are in the folder.

    Example:
        cantilena compose -n 4 --bars 8 --primer "D4 E4 F4/8 G4/8 A4/2" --key "D minor" --out idea
        cantilena compose -n 4 --bars 5-8 --of idea/001.mid --out again
        cantilena compose --interpolate idea/001.mid idea/002.mid --steps 5 --out way
        cantilena compose --vary "C4 D4 E4/2 G4 E4 C4/2" --amount 0.3 -n 4 --out varied
    """
    if bundle is None:
        bundle = DEFAULT_VAE if latent.flag else DEFAULT
    from cantilena.generation import check_free, load, write_melodies
    from cantilena.workflows import CopyCheck, check_copies

    bars = options.bars_to_rewrite() if of is not None else None
    if latent.flag:
        if of is not None:
            raise UsageError(f"--of and {latent.flag} together", "give one of them")
        latent.check_beside(options, sampling)
        n = (latent.steps or _STEPS) if latent.interpolate is not None else n
    check_free(out, n, force=force)
    composer = load(bundle, precision)
    about: dict[str, Any] = {"model": composer.name, "seed": seed, "constrain": options.constrain}
    lost: Mapping[str, Mapping[str, int]] = {}
    if latent.flag:
        melodies, lost = _in_codes(composer, latent, n, options, sampling, seed)
        about |= {"interpolate": latent.interpolate} if latent.interpolate else {"vary": latent.vary}
        about |= {"codes_lack": lost}
    elif of is not None and bars is not None:
        melodies = _rewritten(composer, of, bars, n, options, sampling, seed)
        about |= {"of": of.name, "bars": [bars.first, bars.last]}
    else:
        melodies = composer.compose_many(n, options, sampling, seed=seed)
    written = write_melodies(melodies, out, force=force, manifest=about, expressive=expressive)
    ends = (0, len(melodies) - 1) if latent.interpolate else () if latent.amount != 0 else range(len(melodies))
    new = [row for row in range(len(melodies)) if row not in ends]
    checked = (
        check_copies(bundle, [_until(melodies[row], bars) for row in new], against) if copy_check else CopyCheck(())
    )
    said = [_files(written, melodies[0].seconds, out)]
    said += [_rules_kept(sum(one.rules_broken or 0 for one in melodies))] if options.constrain.strip() else []
    said += _lacking(lost) + ([f"not looked for copies: {checked.reason}"] if checked.reason else [])
    facts = [one.facts() for one in written]
    if bars is not None:
        facts = [{**row, "of": str(of), "bars": [bars.first, bars.last]} for row in facts]
    for row, one in zip(new, checked.melodies, strict=bool(checked.melodies)):
        facts[row]["copied"] = one.to_json()
        if one.is_copy and one.place is not None:
            number, most = written[row].files["mid"].stem, f"95 in 100 people's melodies borrow {one.bound} at most"
            said.append(f"warning: {number} copies: {one.place.text}; {most}")
    return Answer({"melodies": facts, **({"codes_lack": lost} if latent.flag else {})}, text="\n".join(said))


_STEPS = 5
_LACKS = {"folded": "moved by octaves", "rounded": "moved in time", "dropped": "left out"}


def _in_codes(
    composer: Composer,
    latent: LatentOptions,
    melodies: int,
    options: ComposeOptions,
    sampling: SamplingOptions,
    seed: int,
) -> tuple[list[Composition], Mapping[str, Mapping[str, int]]]:
    """A way between two melodies, or one varied; and what of each melody its codes do not know."""
    from cantilena.generation import CodedMelody, interpolations, read_melody_or_notes, variations

    within: dict[str, Any] = {"range": options.range, "constrain": options.constrain}
    if latent.interpolate is not None:
        first, last = (read_melody_or_notes(text) for text in latent.interpolate)
        made = interpolations(composer, first, last, steps=melodies, key=options.key, **within)
        given = {"the first": first, "the last": last}
    else:
        melody = read_melody_or_notes(latent.vary or "")
        amount = 0.3 if latent.amount is None else latent.amount
        made = variations(composer, melody, amount=amount, melodies=melodies, sampling=sampling, seed=seed, **within)
        given = {"the melody": melody}
    return made, {name: CodedMelody.of(composer, one).lost() for name, one in given.items()}


def _rewritten(
    composer: Composer,
    of: Path,
    bars: BarRange,
    melodies: int,
    options: ComposeOptions,
    sampling: SamplingOptions,
    seed: int,
) -> list[Composition]:
    from cantilena.data import read_melody

    return composer.rewrite(
        read_melody(of),
        bars.first,
        bars.last,
        melodies=melodies,
        sampling=sampling,
        seed=seed,
        range=options.range,
        constrain=options.constrain,
        style=options.style,
    )


def _until(melody: Composition, bars: BarRange | None) -> Composition:
    """A melody up to the end of its new music, which is what may be copied."""
    from cantilena.generation import Gap

    return melody if bars is None else melody.until(Gap.of(melody, bars).end)


def _files(written: Sequence[WrittenMelody], seconds: float, out: Path) -> str:
    """What was written, in words."""
    files = ", ".join(path.name for path in written[0].files.values())
    melodies = "1 melody" if len(written) == 1 else f"{len(written)} melodies"
    return f"{melodies} of {seconds:.3g} s in {out}: {files}{', ...' if len(written) > 1 else ''}"


def _lacking(lost: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What the codes of given melodies do not know, in words."""
    lines = []
    for name, counts in lost.items():
        changes = ", ".join(f"{count} {_LACKS[what]}" for what, count in counts.items() if count)
        lines += [f"notes of {name} that its codes lack or have otherwise: {changes}"] if changes else []
    return lines


def _rules_kept(broken: int) -> str:
    if not broken:
        return "every rule was kept"
    return f"rules were broken {broken} times, where no token kept them all"
