"""`cantilena hub push`."""

from __future__ import annotations

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Positional


def push(
    bundle: Positional[str],
    repository: Positional[str],
    *,
    private: bool = False,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Put a model on the Hugging Face hub, with its card and its licence; `hf://USER/NAME` names it from then on.

    It needs `pip install 'cantilena[hub]'` and a token that may write: `hf auth login`, or HF_TOKEN.

    Args:
        bundle: A model: a .safetensors file, a run's folder, or the name of one that ships with Cantilena.
        repository: Where to: USER/NAME. It is made if it is not there.
        private: Make a repository that only those see whom its owner lets.
        force: Add a commit to a repository that holds a model already; the earlier one stays in its history.

    Example:
        cantilena hub push runs/tuned anna/waltzes --private
    """
    from cantilena.workflows import push_bundle

    pushed = push_bundle(bundle, repository, private=private, force=force)
    return Answer(pushed.to_json(), text=pushed.text())
