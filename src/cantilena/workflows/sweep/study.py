"""The trials of a search as an Optuna study, in a journal that several processes share.

The sampler is a tree-structured Parzen estimator (Bergstra et al. 2011). Each trial seeds it by the seed of the search
and the number of trials before, so that a resumed search tries the same as one that was not interrupted.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import optuna

from cantilena.errors import RunError
from cantilena.runtime import derived_seed
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import Parameter, SearchSpace, State, TrialRow, Value

_STATES: Mapping[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
_RANDOM = 10
"""Random trials before the sampler learns from them; a third of a shorter search."""
_COMPARED, _NOT_BEFORE = 4, 2
"""Finished trials before any is pruned, and the first epoch after which one can be."""
_NAME = "sweep"
_INTERRUPTED = "the search was stopped while it ran"


class SweepStudy:
    """The trials of one search, as the process that runs it sees them.

    Args:
        journal: the file; the trials in it are kept.
        space: what may change.
        options: how many trials, and whether they are pruned.
        seed: the same seed gives the same trials, if they end in the same order.
        first: the parameters of the first trial, as far as the space allows them.

    Raises:
        RunError: the journal is damaged.

    Examples:
        >>> import tempfile
        >>> space = SearchSpace("mine", (Parameter("width", low=8, high=64, step=8),))
        >>> journal = Path(tempfile.mkdtemp()) / "trials.journal"
        >>> study = SweepStudy(journal, space, SweepOptions(), seed=1, first={"width": 16})
        >>> study.begin()
        (0, {'width': 16})
        >>> study.end(0, 2.0, score={"nats_per_step": 1.5})
        >>> [(row.state, row.valid) for row in study.rows()]
        [('finished', 1.5)]
    """

    def __init__(
        self, journal: Path, space: SearchSpace, options: SweepOptions, *, seed: int, first: Mapping[str, Value]
    ) -> None:
        self._space, self._options, self._seed = space, options, seed
        self._distributions = {parameter.name: _distribution(parameter) for parameter in space.parameters}
        try:
            self._study = optuna.create_study(
                storage=_storage(journal), study_name=_NAME, direction="minimize", load_if_exists=True
            )
            self._take_up(first)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RuntimeError) as error:
            raise RunError(f"{journal} is damaged", "start over with --force") from error

    def begin(self) -> tuple[int, dict[str, Value]]:
        """Begin a trial: its number and its parameters."""
        begun = sum(trial.state.name != "WAITING" and not _was_interrupted(trial) for trial in self._trials())
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=min(_RANDOM, max(self._options.trials // 3, 1)),
            seed=derived_seed(self._seed, "sweep", begun) % 2**32,
        )
        trial = self._study.ask(self._distributions)
        return trial.number, self._values(trial.params)

    def end(
        self,
        number: int,
        seconds: float,
        *,
        score: Mapping[str, float | None] | None = None,
        reason: str = "",
        pruned: bool = False,
    ) -> None:
        """End a trial with its score on the validation pieces, or the reason why it has none.

        A pruned trial without an epoch has failed.
        """
        trial = self._trials()[number]
        state = "COMPLETE" if score else "PRUNED" if pruned and trial.intermediate_values else "FAIL"
        attributes = {"score": dict(score)} if score else {"reason": reason}
        for name, value in {**attributes, "seconds": round(seconds, 3)}.items():
            optuna.Trial(self._study, trial._trial_id).set_user_attr(name, value)
        self._study.tell(number, score["nats_per_step"] if score else None, state=optuna.trial.TrialState[state])

    def rows(self) -> list[TrialRow]:
        """All trials that began, by number."""
        return [self._row(trial) for trial in self._trials() if trial.state.name != "WAITING"]

    def _take_up(self, first: Mapping[str, Value]) -> None:
        """Enqueue the first trial; or, of a search that was stopped, the trials that were running then."""
        trials = self._trials()
        if not trials:
            held = {p.name: first[p.name] for p in self._space.parameters if p.name in first and p.holds(first[p.name])}
            self._study.enqueue_trial({name: self._written(name, value) for name, value in held.items()})
            return
        again = {trial.user_attrs.get("again") for trial in trials}
        for trial in trials:
            self._row(trial)  # raises here, before anything is trained, if it cannot be read
            if trial.state.name != "RUNNING":
                continue
            # First enqueued, then ended: after a kill in between it is still running, and not enqueued again.
            whole = set(trial.params) == set(self._distributions)
            if trial.number not in again:
                self._study.enqueue_trial(dict(trial.params) if whole else {}, user_attrs={"again": trial.number})
            optuna.Trial(self._study, trial._trial_id).set_user_attr("reason", _INTERRUPTED)
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _trials(self) -> Any:  # noqa: ANN401
        return self._study.get_trials(deepcopy=False)

    def _row(self, trial: Any) -> TrialRow:  # noqa: ANN401
        return TrialRow(
            number=trial.number,
            state="interrupted" if _was_interrupted(trial) else _STATES.get(trial.state.name, "running"),
            parameters=self._values(trial.params),
            score=dict(trial.user_attrs.get("score", {})),
            losses=tuple(float(loss) for _, loss in sorted(trial.intermediate_values.items())),
            seconds=trial.user_attrs.get("seconds"),
            reason=str(trial.user_attrs.get("reason", "")),
        )

    def _values(self, written: Mapping[str, Any]) -> dict[str, Value]:
        """The parameters of a trial, in our order; a choice is stored as JSON, since Optuna's choices are scalars."""
        named = {parameter.name: parameter for parameter in self._space.parameters if parameter.name in written}
        if len(named) < len(written):
            raise KeyError("a parameter of another search")
        return {name: _read(parameter, written[name]) for name, parameter in named.items()}

    def _written(self, name: str, value: Value) -> Any:  # noqa: ANN401
        chosen = any(parameter.name == name and parameter.choices for parameter in self._space.parameters)
        return json.dumps(value) if chosen else value


class TrialReporter:
    """Records the epochs of one trial, in the process that trains it."""

    def __init__(self, journal: Path, number: int, pruning: str) -> None:
        median = optuna.pruners.MedianPruner(n_startup_trials=_COMPARED, n_warmup_steps=_NOT_BEFORE)
        pruner = median if pruning == "median" else optuna.pruners.NopPruner()
        study = optuna.load_study(storage=_storage(journal), study_name=_NAME, pruner=pruner)
        self._trial = optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)

    def should_prune(self, epoch: int, loss: float) -> bool:
        """Record the validation loss after an epoch, from 1; whether the trial is not worth going on with."""
        self._trial.report(loss, epoch)
        return bool(self._trial.should_prune())


def _storage(journal: Path) -> Any:  # noqa: ANN401  (Optuna is not there for everybody who checks types)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    backend = optuna.storages.journal.JournalFileBackend(str(journal), lock_obj=_JournalLock(journal))
    return optuna.storages.JournalStorage(backend)


class _JournalLock:
    """A lock on the journal that the system releases when its holder is killed, unlike Optuna's own.

    Whoever gets it removes half a line that a crash may have left at the end.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        file = self._journal.open("a+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file = file
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        assert self._file is not None
        self._file.close()


def _read(parameter: Parameter, written: Any) -> Value:  # noqa: ANN401
    if not parameter.choices:
        if isinstance(written, bool) or not math.isfinite(written):
            raise ValueError(written)
        value: int | float = int(written) if parameter.step else float(written)
        return value
    return {json.dumps(choice): choice for choice in parameter.choices}[written]


def _distribution(parameter: Parameter) -> Any:  # noqa: ANN401
    if parameter.choices:
        return optuna.distributions.CategoricalDistribution([json.dumps(choice) for choice in parameter.choices])
    if parameter.step:
        low, high = int(parameter.low), int(parameter.high)
        return optuna.distributions.IntDistribution(low, high, log=parameter.log, step=parameter.step)
    return optuna.distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _was_interrupted(trial: Any) -> bool:  # noqa: ANN401
    return bool(trial.state.name == "FAIL" and trial.user_attrs.get("reason") == _INTERRUPTED)
