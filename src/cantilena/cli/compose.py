"""`cantilena compose`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Count, Flags, Positional, Seed
from cantilena.generation import ComposeOptions, SamplingOptions

DEFAULT_MODEL = "tunes+rl"
"""What composes where no model is named: tunes, tuned on our own rules over eight bars."""


def run(
    bundle: Positional[str] = DEFAULT_MODEL,
    *,
    options: ComposeOptions,
    sampling: SamplingOptions,
    n: Count = 8,
    out: Path = Path("melodies"),
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Compose melodies with a trained model.

    Each melody becomes four files: .mid to play, .musicxml to edit, .svg to see, .wav to hear.

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena.
        out: The folder to write.
        force: Replace melodies that are in the folder.

    Example:
        cantilena compose -n 4 --bars 8 --primer "D4 E4 F4/8 G4/8 A4/2" --key "D minor" --out idea
    """
    from cantilena.generation import check_free, load, write_melodies

    check_free(out, n, force=force)
    composer = load(bundle)
    melodies = composer.compose_many(n, options, sampling, seed=seed)
    about = {"model": composer.name, "seed": seed, "constrain": options.constrain}
    written = write_melodies(melodies, out, force=force, manifest=about)
    files = ", ".join(path.name for path in written[0].files.values())
    return Answer(
        {"melodies": [one.facts() for one in written]},
        text=f"{len(written)} melodies of {melodies[0].seconds:.3g} s in {out}: {files}{', ...' if n > 1 else ''}"
        + (_rules_kept(sum(one.rules_broken or 0 for one in melodies)) if options.constrain.strip() else ""),
    )


def _rules_kept(broken: int) -> str:
    if not broken:
        return "\nevery rule was kept"
    return f"\nrules were broken {broken} times, where no token kept them all"
