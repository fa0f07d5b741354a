"""The training of a trial, in a worker process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cantilena.errors import RunError
from cantilena.workflows.data import EncodedCorpus
from cantilena.workflows.sweep.study import TrialReporter
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import network_for, shape_and_training
from cantilena.workflows.train.options import NetworkTraining
from cantilena.workflows.train.run import learn_network


class Trial(NamedTuple):
    """A trial to train; `bundle` is where the model goes if it finishes."""

    number: int
    options: NetworkTraining
    bundle: Path


@dataclass(frozen=True, slots=True)
class TrialTask:
    """Trains trials; a worker process gets it once, and calls it with each trial."""

    data: EncodedCorpus
    corpus: Mapping[str, Any]
    journal: Path
    pruning: str

    def __call__(self, trial: Trial) -> dict[str, float | None] | str:
        """Train a trial; gives its score on the validation pieces, or why it was pruned.

        Raises:
            RunError: the loss became NaN or infinite, or there is not enough memory.
        """
        network, training = shape_and_training(trial.options)
        network = network_for(network, trial.options, self.data)
        epochs = training.epochs_for(self.data.train.sequences.steps)
        reporter, pruned = TrialReporter(self.journal, trial.number, self.pruning), ""

        def after_epoch(epoch: int, loss: float) -> bool:
            nonlocal pruned
            if not math.isfinite(loss):
                raise RunError(f"the validation loss after epoch {epoch} is NaN or infinite", "lower the learning rate")
            if reporter.should_prune(epoch, loss) and epoch < epochs:
                pruned = f"worse than the median after epoch {epoch}"
            return bool(pruned)

        try:
            trained, bundle = learn_network(
                network, training, self.data, self.corpus, quiet=True, after_epoch=after_epoch
            )
        except MemoryError as error:
            raise RunError("not enough memory", "search smaller networks or batches") from error
        if pruned:
            return pruned
        result = score(trained.network, self.data.valid, self.data)
        bundle.save(trial.bundle)
        return result
