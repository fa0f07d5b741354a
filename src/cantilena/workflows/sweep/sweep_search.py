"""The search itself: workers get trials, epochs come back, what is not worth going on with is given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.errors import RunError
from cantilena.runtime import Progress, processors, progress
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import Value
from cantilena.workflows.sweep.study import SweepStudy
from cantilena.workflows.sweep.sweep_team import Ended, Team, Worker
from cantilena.workflows.sweep.sweep_trials import TrialRow, best_of, counts_of
from cantilena.workflows.sweep.worker import EpochDone, Message, Ready, TrialDone, TrialFailed, TrialOrder
from cantilena.workflows.train.options import TrainRequest

_FALSE_STARTS = 3
"""Workers in a row that end before they can begin, until the search gives up."""


def with_parameters(request: TrainRequest, parameters: Mapping[str, Value]) -> TrainRequest:
    """A training with the parameters of a trial.

    Example:
        >>> with_parameters(TrainRequest("tunes"), {"width": 64}).width
        64
    """
    values: dict[str, Any] = dict(parameters)
    return replace(request, **values)


@dataclass
class Search:
    """A search under way.

    Args:
        study: what to try next; the trials until now.
        request: the training that trials change.
        options: how many, how many at once, how long each.
        digest: of the pieces that workers must find in the corpus.
        models: the folder where the best model of a trial is kept.
        after_trial: called when a trial is over, with all of them.
    """

    study: SweepStudy
    request: TrainRequest
    options: SweepOptions
    digest: str
    models: Path
    after_trial: Callable[[list[TrialRow]], None]
    false_starts: int = 0

    def run(self) -> None:
        """Go on until there are as many trials as are wanted.

        Raises:
            RunError: workers cannot start, or the corpus is not what it was.
        """
        size = self.options.processes or processors()
        left = self.left()
        with (
            progress("Searching", total=self.options.trials, unit="trials") as bar,
            Team(self.request, min(size, max(left, 1))) as team,
        ):
            bar.advance(self.options.trials - left, self._note())
            while (left := self.left()) > 0:
                team.fill(left)
                for worker, message in team.messages():
                    self._take(worker, message, bar)
                for worker in team.workers:
                    if worker.is_ready and worker.trial is None and team.busy < self.left():
                        self._give(worker)

    def left(self) -> int:
        """Trials that have not come to their end."""
        return max(self.options.trials - counts_of(self.study.rows())["trials"], 0)

    def model_of(self, number: int) -> Path:
        """Where the model of a trial lies."""
        return self.models / f"trial-{number}.safetensors"

    def _give(self, worker: Worker) -> None:
        number, parameters = self.study.ask()
        order = TrialOrder(with_parameters(self.request, parameters), self.model_of(number))
        worker.train(number, order, self.options.seconds_a_trial)

    def _take(self, worker: Worker, message: Message | Ended, bar: Progress) -> None:
        number = worker.trial
        if number is None:
            self._welcome(worker, message)
            return
        match message:
            case EpochDone(epoch, most, loss):
                hopeless = self.study.report(number, epoch, loss) and epoch < most
                worker.go_on(f"worse than the median after epoch {epoch}" if hopeless else "")
                bar.advance(0, self._note(f"; trial {number}: {loss:.3f} after epoch {epoch} of {most}"))
                return
            case TrialDone(None):
                self.study.give_up(number, worker.stops, worker.done())
            case TrialDone(score):
                assert score is not None
                self.study.finish(number, score, worker.done())
            case TrialFailed(reason):
                self.study.fail(number, reason, worker.done())
            case Ended(reason):
                late = reason.startswith("it took longer")
                (self.study.give_up if late else self.study.fail)(number, reason, worker.done())
            case Ready():
                raise RunError("a worker process spoke out of turn", "start anew with --force")
        rows = self.study.rows()
        self._keep_the_best(rows)
        self.after_trial(rows)
        bar.advance(1, self._note())

    def _welcome(self, worker: Worker, message: Message | Ended) -> None:
        match message:
            case Ready(digest):
                if digest != self.digest:
                    raise RunError("the corpus changed while it was searched with", "start anew with --force")
                worker.is_ready, self.false_starts = True, 0
            case TrialFailed(reason, hint):
                raise RunError(f"a worker process cannot read the corpus: {reason}", hint or "check the corpus")
            case Ended(reason):
                self.false_starts += 1
                if self.false_starts >= _FALSE_STARTS:
                    raise RunError(f"worker processes cannot start: {reason}", "give fewer --processes, or free memory")
            case _:
                raise RunError("a worker process spoke out of turn", "start anew with --force")

    def _keep_the_best(self, rows: list[TrialRow]) -> None:
        best = best_of(rows)
        over = {self.model_of(row.number) for row in rows if row.state != "running"}
        for path in over - ({self.model_of(best.number)} if best else set()):
            path.unlink(missing_ok=True)

    def _note(self, more: str = "") -> str:
        best = best_of(self.study.rows())
        return f"best {best.valid:.4f} in trial {best.number}{more}" if best else f"none finished yet{more}"
