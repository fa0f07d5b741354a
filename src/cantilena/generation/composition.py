"""What a model composed: a melody, and how probable its new notes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cantilena.io import write
from cantilena.music import Melody


@dataclass(frozen=True)
class Composition(Melody):
    """A melody that a model composed.

    Args:
        tokens: the new tokens by name, in the key that the model thinks in.
        log_likelihood: nats of the new tokens under the untuned model.
        policy_log_likelihood: nats of the new tokens under the model that composed; where rules constrained it, of its
            probabilities over the tokens that the rules left.
        rules_broken: how often a constraining rule was broken because no token kept them all; None without rules.
    """

    tokens: tuple[str, ...] = ()
    log_likelihood: float = field(default=0.0, compare=False)
    policy_log_likelihood: float = field(default=0.0, compare=False)
    rules_broken: int | None = field(default=None, compare=False)

    def save(self, path: str | Path, *, expressive: bool = False) -> None:
        """Write it as .mid, .musicxml, .svg, .wav or .abc, by the path's ending; played with expression if wanted."""
        write(self, Path(path), expressive=expressive)
