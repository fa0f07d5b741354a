"""`cantilena compose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Count, Flags, Positional, Seed
from cantilena.generation import ComposeOptions, SamplingOptions
from cantilena.model import Precision
from cantilena.model.bundles import DEFAULT

if TYPE_CHECKING:
    from cantilena.experiment import CheckedMelody
    from cantilena.generation import BarRange, Composer, Composition


def run(
    bundle: Positional[str] = DEFAULT,
    *,
    options: ComposeOptions,
    sampling: SamplingOptions,
    n: Count = 8,
    of: Path | None = None,
    out: Path = Path("melodies"),
    expressive: bool = False,
    copy_check: bool = True,
    precision: Precision = "float32",
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Compose melodies with a trained model.

    Each melody becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to hear. With --of FILE
    --bars 5-8 those bars of a piece are written anew, so that they fit what comes before and after; the rest stays.

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena.
        of: A piece whose bars are rewritten: a MIDI, MusicXML, ABC or kern file. Bars count from 1, a pickup is bar 0.
        out: The folder to write.
        expressive: Play the MIDI and sound files with expression: phrases swell and ebb, strong beats are stressed.
        copy_check: Look whether a melody copies more of what its model learned than people's melodies borrow.
        precision: What networks of over 5 million weights multiply in; auto is bfloat16 where the processor gains by
            it: three times as fast for many melodies, and other melodies from the same seed.
        force: Replace melodies that are in the folder.

    Example:
        cantilena compose -n 4 --bars 8 --primer "D4 E4 F4/8 G4/8 A4/2" --key "D minor" --out idea
        cantilena compose -n 4 --bars 5-8 --of idea/001.mid --out again
    """
    from cantilena.generation import check_free, load, write_melodies

    bars = options.bars_to_rewrite() if of is not None else None
    check_free(out, n, force=force)
    composer = load(bundle, precision)
    about: dict[str, Any] = {"model": composer.name, "seed": seed, "constrain": options.constrain}
    if of is not None and bars is not None:
        melodies = _rewritten(composer, of, bars, n, options, sampling, seed)
        about |= {"of": of.name, "bars": [bars.first, bars.last]}
    else:
        melodies = composer.compose_many(n, options, sampling, seed=seed)
    written = write_melodies(melodies, out, force=force, manifest=about, expressive=expressive)
    checked = _checked(bundle, [_until(one, bars) for one in melodies]) if copy_check else None
    files = ", ".join(path.name for path in written[0].files.values())
    text = f"{len(written)} melodies of {melodies[0].seconds:.3g} s in {out}: {files}{', ...' if n > 1 else ''}"
    if options.constrain.strip():
        text += _rules_kept(sum(one.rules_broken or 0 for one in melodies))
    if copy_check and checked is None:
        text += "\nnot looked for copies: the corpus that this model learned is not at hand, or its notes have no time"
    facts = [one.facts() for one in written]
    if bars is not None:
        facts = [{**row, "of": str(of), "bars": [bars.first, bars.last]} for row in facts]
    for row, one in enumerate(checked or ()):
        facts[row]["copied"] = one.to_json()
        if one.is_copy and one.place is not None:
            number = written[row].files["mid"].stem
            text += (
                f"\nwarning: {number} copies: {one.place.text}; 95 in 100 people's melodies borrow {one.bound} at most"
            )
    return Answer({"melodies": facts}, text=text)


def _rewritten(
    composer: Composer,
    of: Path,
    bars: BarRange,
    melodies: int,
    options: ComposeOptions,
    sampling: SamplingOptions,
    seed: int,
) -> list[Composition]:
    from cantilena.corpus import read_melody

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


def _checked(bundle: str, melodies: Sequence[Composition]) -> Sequence[CheckedMelody] | None:
    from cantilena.experiment import check_copies

    return check_copies(bundle, melodies)


def _rules_kept(broken: int) -> str:
    if not broken:
        return "\nevery rule was kept"
    return f"\nrules were broken {broken} times, where no token kept them all"
