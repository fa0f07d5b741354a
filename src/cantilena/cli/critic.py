"""`cantilena train critic`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional, Seed


def run(
    bundle: Positional[str], *, out: Path, against: str = "", force: bool = False, seed: Seed = 1, flags: Flags
) -> Answer:
    """Train a critic for `compose --search`: it learns to tell whole melodies that a model composes from people's.

    For each melody of people's the model composes one of the same meter, mode, register and length.

    Args:
        bundle: A model of notes: a .safetensors file, or the name of one that ships with Cantilena.
        out: The .safetensors file to write.
        against: People's melodies: a corpus file, a folder of scores, or the name of one that ships; by default the
            corpus that the model was trained on, if that ships. Test parts are not used.
        force: Replace an existing file.

    Example:
        cantilena train critic runs/notes --out critic.safetensors
        cantilena compose runs/notes --search 16 --critic critic.safetensors
    """
    from cantilena.data import open_corpus
    from cantilena.errors import RunError, UsageError
    from cantilena.models import Bundle, find_bundle
    from cantilena.workflows import learn_critic, shipped_corpus

    if out.is_dir():
        raise UsageError(f"{out} is a folder", "name the file itself, such as critic.safetensors")
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    model = Bundle.load(find_bundle(bundle))
    name = against or shipped_corpus(model)
    if not name:
        raise UsageError("the corpus of this model does not ship with Cantilena", "name people's melodies: --against")
    critic = learn_critic(model, open_corpus(name), seed=seed)
    critic.save(out, overwrite=force)
    facts = dict(critic.provenance)
    return Answer(
        {"critic": str(out), "bytes": out.stat().st_size, **facts},
        text=f"{out}: tells {facts['valid']['accuracy']:.1%} of melodies that it did not learn from",
    )
