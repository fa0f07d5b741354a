"""`cantilena hub push`."""

from __future__ import annotations

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional


def push(
    bundle: Positional[str],
    repository: Positional[str],
    *,
    private: bool = False,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Upload a model with its card and its licence to the Hugging Face hub, where `hf://USER/NAME` names it.

    It requires `pip install 'cantilena[hub]'` and a token with write access: `hf auth login`, or HF_TOKEN.

    Args:
        bundle: A .safetensors file, the folder of a run, or the name of a model that ships with Cantilena.
        repository: The repository, USER/NAME; created if it does not exist.
        private: Create a private repository.
        force: Add a commit to a repository that holds a model; the earlier one stays in its history.

    Example:
        cantilena hub push runs/tuned anna/waltzes --private
    """
    from cantilena.workflows import push_bundle

    pushed = push_bundle(bundle, repository, private=private, force=force)
    return Answer(pushed.to_json(), text=pushed.text())
