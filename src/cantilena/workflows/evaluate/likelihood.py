"""`evaluate --likelihood`: how well models predict held-out pieces, and which of them by a clear margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from cantilena.data import Skipped
from cantilena.errors import UsageError
from cantilena.models import Bundle, SequenceModel
from cantilena.reporting.text import counted
from cantilena.runtime import say
from cantilena.workflows.evaluate.contestants import contestants
from cantilena.workflows.evaluate.predictions import Margin, Prediction, margins_between
from cantilena.workflows.train.held_out import HeldOut


@dataclass(frozen=True)
class Likelihoods:
    """How well models predict the same held-out pieces.

    Args:
        predictions: one a model.
        skipped: files of the folder that could not be used.
        seed: of the intervals' draws.
    """

    predictions: Sequence[Prediction]
    skipped: Sequence[Skipped]
    seed: int = 1

    @cached_property
    def margins(self) -> Sequence[Margin]:
        """Between every two models."""
        pairs = combinations(self.predictions, 2)
        return [one for first, second in pairs for one in margins_between(first, second, self.seed)]

    def to_json(self) -> dict[str, Any]:
        """What `evaluate --likelihood --json` prints."""
        return {
            "systems": {one.name: one.to_json(self.seed) for one in self.predictions},
            "differences": [one.to_json() for one in self.margins],
            "skipped": [{"file": row.file, "reason": row.reason} for row in self.skipped],
        }

    def text(self) -> str:
        """The same for a terminal."""
        rows = [one.text(self.seed) for one in self.predictions] + [one.text() for one in self.margins]
        if self.skipped:
            some = self.skipped[0]
            rows.append(f"{counted(len(self.skipped), 'file')} could not be used, such as {some.file}: {some.reason}")
        return "\n".join(rows)


def measure_likelihoods(words: Sequence[str], test: Path, *, seed: int = 1, device: str = "auto") -> Likelihoods:
    """Measure how well bundles predict a folder of held-out scores, taken as it is.

    Minus the sum of ln p over all steps of all pieces, over their number, or over that of note onsets: the first step
    from the start symbol on, no end token, the state carried through the whole piece. Of a tuned model, the policy and
    the model before tuning are both measured. A model that knows C major and A minor alone is measured on the pieces as
    they are, and beside it on the pieces moved there.

    Args:
        words: `NAME=BUNDLE` or `BUNDLE` of each: a network or an n-gram.
        test: the folder.
        seed: of the intervals' draws.
        device: where large networks compute.

    Raises:
        UsageError: what is no bundle, or two of one name.
        BundleError: one cannot be read.
        CorpusError: there is no such folder, or nothing in it can be used.

    Example:
        >>> import tempfile
        >>> from cantilena.io import write
        >>> from cantilena.music import Melody
        >>> place = Path(tempfile.mkdtemp())
        >>> write(Melody.of([(60, 24), (62, 24), (64, 48)] * 4), place / "tune.mid")
        >>> told = measure_likelihoods(["tunes"], place).to_json()["systems"]
        >>> [(name, system["steps"], system["notes"]) for name, system in told.items()]
        [('tunes', 64, 12)]
    """
    found = contestants(words)
    for one in found:
        if one.kind != "bundle":
            raise UsageError(
                f"'{one.name}' is a {one.kind}, and only a model tells how likely a piece is",
                "name bundles: `cantilena train` makes them, of n-grams too (--model ngram)",
            )
    bundles = {one.name: Bundle.load(Path(one.source)) for one in found}
    folder = HeldOut(test)
    predictions = [one for name, bundle in bundles.items() for one in _predictions(name, bundle, folder, device)]
    return Likelihoods(predictions, folder.skipped, seed)


def _predictions(name: str, bundle: Bundle, folder: HeldOut, device: str) -> list[Prediction]:
    say(f"Predicting: {name}")
    pieces = folder.pieces(bundle.encoding)
    plain = folder.pieces(bundle.encoding, plain_keys=True) if bundle.provenance.get("plain_keys") else None
    models = {name: (bundle.model(), _ALL_OR_NOTHING if bundle.policy == "argmax-q" else "")}
    if bundle.prior_weights is not None:
        models[f"{name} before tuning"] = (bundle.prior(), "")
    predictions = []
    for model_name, (model, impossible) in models.items():
        _move(model, device)
        moved = None if plain is None else plain.predicted_by(model)
        predictions.append(Prediction(model_name, pieces, pieces.predicted_by(model), moved, impossible))
    return predictions


def _move(model: SequenceModel, device: str) -> None:
    """Bring what computes in torch to where it shall compute; small networks and n-grams do not."""
    parts: tuple[Any, ...] = (model, getattr(model, "network", None), getattr(model, "prior", None))
    for part in parts:
        if hasattr(part, "to"):
            from cantilena.models import choose_device

            part.to(choose_device(device))


_ALL_OR_NOTHING = "its policy argmax-q plays one token and gives the others no probability"
