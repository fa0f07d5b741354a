"""`cantilena models list | show`."""

from __future__ import annotations

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional


def list_all(*, flags: Flags) -> Answer:
    """List the models that ship with Cantilena: size, held-out likelihood, description, licence.

    Example:
        cantilena models list
    """
    from cantilena.workflows import models_text, shipped_models

    models = shipped_models()
    return Answer({"models": [model.to_json() for model in models]}, text=models_text(models))


def show(model: Positional[str], *, flags: Flags) -> Answer:
    """Show the card of a model: description, training data, quality, limits.

    Args:
        model: The name of a model that ships with Cantilena, a .safetensors file, a run folder, or hf://USER/NAME.

    Example:
        cantilena models show tunes+rl
    """
    from cantilena.workflows import show_model

    shown = show_model(model)
    return Answer(shown.to_json(), text=shown.card)
