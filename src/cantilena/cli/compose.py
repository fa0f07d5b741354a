"""`cantilena compose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Count, Flags, Positional, Seed
from cantilena.generation import ComposeOptions, SamplingOptions
from cantilena.model import Precision

if TYPE_CHECKING:
    from cantilena.experiment import CheckedMelody
    from cantilena.generation import Composition

DEFAULT_MODEL = "tunes+rl"
"""What composes where no model is named: tunes, tuned on our own rules over eight bars."""


def run(
    bundle: Positional[str] = DEFAULT_MODEL,
    *,
    options: ComposeOptions,
    sampling: SamplingOptions,
    n: Count = 8,
    out: Path = Path("melodies"),
    copy_check: bool = True,
    precision: Precision = "float32",
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Compose melodies with a trained model.

    Each melody becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to hear.

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena.
        out: The folder to write.
        copy_check: Look whether a melody copies more of what its model learned than people's melodies borrow.
        precision: What networks of over 5 million weights multiply in; auto is bfloat16 where the processor gains by
            it: three times as fast for many melodies, and other melodies from the same seed.
        force: Replace melodies that are in the folder.

    Example:
        cantilena compose -n 4 --bars 8 --primer "D4 E4 F4/8 G4/8 A4/2" --key "D minor" --out idea
    """
    from cantilena.generation import check_free, load, write_melodies

    check_free(out, n, force=force)
    composer = load(bundle, precision)
    melodies = composer.compose_many(n, options, sampling, seed=seed)
    about = {"model": composer.name, "seed": seed, "constrain": options.constrain}
    written = write_melodies(melodies, out, force=force, manifest=about)
    checked = _checked(bundle, melodies) if copy_check else None
    files = ", ".join(path.name for path in written[0].files.values())
    text = f"{len(written)} melodies of {melodies[0].seconds:.3g} s in {out}: {files}{', ...' if n > 1 else ''}"
    if options.constrain.strip():
        text += _rules_kept(sum(one.rules_broken or 0 for one in melodies))
    if copy_check and checked is None:
        text += "\nnot looked for copies: the corpus that this model learned is not at hand, or its notes have no time"
    facts = [one.facts() for one in written]
    for row, one in enumerate(checked or ()):
        facts[row]["copied"] = one.to_json()
        if one.is_copy and one.place is not None:
            number = written[row].files["mid"].stem
            text += (
                f"\nwarning: {number} copies: {one.place.text}; 95 in 100 people's melodies borrow {one.bound} at most"
            )
    return Answer({"melodies": facts}, text=text)


def _checked(bundle: str, melodies: Sequence[Composition]) -> Sequence[CheckedMelody] | None:
    from cantilena.experiment import check_copies

    return check_copies(bundle, melodies)


def _rules_kept(broken: int) -> str:
    if not broken:
        return "\nevery rule was kept"
    return f"\nrules were broken {broken} times, where no token kept them all"
