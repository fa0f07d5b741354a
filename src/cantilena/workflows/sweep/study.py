"""The only door to Optuna: what to try next, what to give up, and a journal of it that survives a kill.

One process alone writes the journal, the one that holds the run folder; trainings run in others and know no Optuna. So
a worker that is killed can neither tear the journal nor keep its lock. The sampler is a tree-structured Parzen
estimator (Bergstra et al. 2011) and is seeded anew for each trial, by the seed and how many came before: a search that
was interrupted goes on to the same trials as one that was not.

The trials of a search as rows: what each tried and what came of it; as JSON, as CSV, as a command to repeat one.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import optuna

from cantilena.errors import RunError
from cantilena.runtime import derived_seed
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import Parameter, SearchSpace, Value
from cantilena.workflows.train.options import TrainRequest

State = Literal["finished", "pruned", "failed", "interrupted", "running"]


@dataclass(frozen=True)
class TrialRow:
    """One training of a search.

    Args:
        number: from 0, in the order in which they began.
        state: `interrupted`: the search was stopped while it ran, and it was tried again under another number.
        parameters: what it tried.
        score: nats a step and a note on the validation pieces, of a finished one.
        losses: held-out nats a step after each epoch.
        seconds: how long it took; None where nobody could tell.
        reason: why it did not finish, or "".
    """

    number: int
    state: State
    parameters: Mapping[str, Value]
    score: Mapping[str, float | None] = field(default_factory=dict)
    losses: Sequence[float] = ()
    seconds: float | None = None
    reason: str = ""

    @property
    def valid(self) -> float:
        """Nats a step on the validation pieces; NaN unless it finished."""
        value = self.score.get("nats_per_step")
        return math.nan if value is None else value

    def record(self) -> dict[str, Any]:
        """As JSON values: a loss that is not there is null, with the reason beside it."""
        return {
            "number": self.number,
            "state": self.state,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "valid": None if math.isnan(self.valid) else self.valid,
            **({"reason": self.reason or self.state} if self.state != "finished" else {}),
            "epochs": len(self.losses),
            "losses": list(self.losses),
            "seconds": self.seconds,
        }


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The finished trial with the least loss, the first of equals; None where none finished.

    Example:
        >>> rows = [TrialRow(n, "finished", {}, {"nats_per_step": loss}) for n, loss in enumerate((2.0, 1.0, 1.0))]
        >>> best_of(rows).number
        1
    """
    finished = [row for row in rows if row.state == "finished"]
    return min(finished, key=lambda row: (row.valid, row.number), default=None)


def counts_of(rows: Sequence[TrialRow]) -> dict[str, int]:
    """How many trials came to an end, and how; those that were interrupted were tried again and do not count.

    Example:
        >>> counts_of([TrialRow(0, "interrupted", {}), TrialRow(1, "pruned", {})])
        {'trials': 1, 'finished': 0, 'pruned': 1, 'failed': 0}
    """
    counts = {state: sum(row.state == state for row in rows) for state in ("finished", "pruned", "failed")}
    return {"trials": sum(counts.values()), **counts}


def csv_text(rows: Sequence[TrialRow], space: SearchSpace) -> str:
    """The trials as a table for other programs: a column a parameter.

    Example:
        >>> from cantilena.workflows.sweep.space import Parameter
        >>> space = SearchSpace("mine", (Parameter("look_back", choices=((1, 2),)),))
        >>> row = TrialRow(0, "finished", {"look_back": (1, 2)}, {"nats_per_step": 0.5}, (0.6, 0.5), 2.0)
        >>> csv_text([row], space).splitlines()
        ['number,state,look_back,valid,epochs,seconds,reason', '0,finished,1 2,0.5,2,2.0,']
    """
    names = [parameter.name for parameter in space.parameters]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "state", *names, "valid", "epochs", "seconds", "reason"])
    for row in rows:
        values = [spoken(row.parameters[name]) if name in row.parameters else "" for name in names]
        valid = "" if math.isnan(row.valid) else row.valid
        seconds = "" if row.seconds is None else row.seconds
        writer.writerow([row.number, row.state, *values, valid, len(row.losses), seconds, row.reason])
    return file.getvalue()


def train_command(request: TrainRequest, out: Path) -> str:
    """The command line of a training.

    Args:
        request: what it is asked; what is as by default is left out.
        out: the folder of the run.

    Example:
        >>> train_command(TrainRequest("tunes", width=64, copy_head=False, look_back=(1, 2)), Path("best"))
        'cantilena train --corpus tunes --width 64 --look-back 1 2 --no-copy-head --out best'
    """
    words = ["cantilena", "train"]
    for one in fields(request):
        value = getattr(request, one.name)
        if value == one.default and one.default is not MISSING:
            continue
        flag = one.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            words += [f"--{flag}", *map(str, value)]
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join([*words, "--out", str(out)])


def spoken(value: Value) -> str:
    """A value as a person writes it.

    Example:
        >>> spoken((1, 2, 4)), spoken(0.00123456789), spoken(()), spoken(True)
        ('1 2 4', '0.00123456789', 'none', 'true')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Value) -> Any:  # noqa: ANN401  (a JSON value)
    return list(value) if isinstance(value, tuple) else value


_RANDOM = 10
"""Trials that are drawn blindly before the sampler knows where to look; of short searches a third."""

_COMPARED, _NOT_BEFORE = 4, 2
"""Finished trials before any is given up, and the epoch from which on one can be."""

_INTERRUPTED = "the search was stopped while it ran"


class SweepStudy:
    """The trials of one search.

    Args:
        journal: the file; what is in it goes on.
        space: what may change.
        options: how many trials, and when they are given up.
        seed: the same gives the same trials, where they end in the same order.
        first: the parameters of the first trial, as far as the space holds them.

    Raises:
        RunError: the journal is damaged.

    Example:
        >>> import tempfile
        >>> space = SearchSpace("mine", (Parameter("width", low=8, high=64, step=8),))
        >>> journal = Path(tempfile.mkdtemp()) / "trials.journal"
        >>> study = SweepStudy(journal, space, SweepOptions(), seed=1, first={"width": 16})
        >>> study.ask()
        (0, {'width': 16})
        >>> study.finish(0, {"nats_per_step": 1.5}, 2.0)
        >>> [(row.state, row.valid) for row in study.rows()]
        [('finished', 1.5)]
    """

    def __init__(
        self, journal: Path, space: SearchSpace, options: SweepOptions, *, seed: int, first: Mapping[str, Value]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._options, self._seed = space, options, seed
        self._distributions = {parameter.name: _distribution(parameter) for parameter in space.parameters}
        self._running: dict[int, Any] = {}
        _mend(journal)
        try:
            self._study = self._opened(journal)
            self._take_up(first)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RuntimeError) as error:
            raise RunError(f"{journal} is damaged", "start anew with --force") from error

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Begin a trial: its number and what it shall try."""
        begun = sum(trial.state.name != "WAITING" and not _was_interrupted(trial) for trial in self._trials())
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=min(_RANDOM, max(self._options.trials // 3, 1)),
            seed=derived_seed(self._seed, "sweep", begun) % 2**32,
        )
        trial = self._study.ask(self._distributions)
        self._running[trial.number] = trial
        return trial.number, self._values(trial.params)

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Tell the held-out loss after an epoch, from 1; gives whether the trial is not worth going on with."""
        trial = self._running[number]
        trial.report(loss, epoch)
        return bool(trial.should_prune())

    def finish(self, number: int, score: Mapping[str, float | None], seconds: float) -> None:
        """A training came to its end with this score on the validation pieces."""
        self._end(number, "COMPLETE", seconds, score=dict(score))

    def give_up(self, number: int, reason: str, seconds: float) -> None:
        """A training was given up on the way; if it has no epoch to show for it, it failed."""
        losses = self._trials()[number].intermediate_values
        self._end(number, "PRUNED" if losses else "FAIL", seconds, reason=reason)

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """A training could not be done."""
        self._end(number, "FAIL", seconds, reason=reason)

    def rows(self) -> list[TrialRow]:
        """All trials that began, by number."""
        return [self._row(trial) for trial in self._trials() if trial.state.name != "WAITING"]

    def _opened(self, journal: Path) -> Any:  # noqa: ANN401  (Optuna is not there for everybody who checks types)
        lock = optuna.storages.journal.JournalFileOpenLock(str(journal))
        backend = optuna.storages.journal.JournalFileBackend(str(journal), lock_obj=lock)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_COMPARED, n_warmup_steps=_NOT_BEFORE)
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="sweep",
            direction="minimize",
            pruner=pruner if self._options.pruning == "median" else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )

    def _take_up(self, first: Mapping[str, Value]) -> None:
        """Put the preset first in line; or, of a search that was stopped, what was running then."""
        trials = self._trials()
        if not trials:
            held = {p.name: first[p.name] for p in self._space.parameters if p.name in first and p.holds(first[p.name])}
            self._study.enqueue_trial({name: self._written(name, value) for name, value in held.items()})
            return
        again = {trial.user_attrs.get("again") for trial in trials}
        for trial in trials:
            self._row(trial)  # what cannot be read is found out here, before anything is trained
            if trial.state.name != "RUNNING":
                continue
            # First in line, then told: killed in between, it is found running once more and not put in line again.
            whole = set(trial.params) == set(self._distributions)
            if trial.number not in again:
                self._study.enqueue_trial(dict(trial.params) if whole else {}, user_attrs={"again": trial.number})
            self._study._storage.set_trial_user_attr(trial._trial_id, "reason", _INTERRUPTED)
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _end(self, number: int, state: str, seconds: float, **facts: Any) -> None:  # noqa: ANN401
        trial = self._running.pop(number)
        for name, value in {**facts, "seconds": round(seconds, 3)}.items():
            trial.set_user_attr(name, value)
        value = facts["score"]["nats_per_step"] if state == "COMPLETE" else None
        self._study.tell(trial, value, state=optuna.trial.TrialState[state])

    def _trials(self) -> Any:  # noqa: ANN401
        return self._study.get_trials(deepcopy=False)

    def _row(self, trial: Any) -> TrialRow:  # noqa: ANN401
        state: State = _STATES.get(trial.state.name, "running")
        return TrialRow(
            number=trial.number,
            state="interrupted" if _was_interrupted(trial) else state,
            parameters=self._values(trial.params),
            score=dict(trial.user_attrs.get("score", {})),
            losses=tuple(float(loss) for _, loss in sorted(trial.intermediate_values.items())),
            seconds=trial.user_attrs.get("seconds"),
            reason=str(trial.user_attrs.get("reason", "")),
        )

    def _values(self, written: Mapping[str, Any]) -> dict[str, Value]:
        """What a trial tries, in our order; a choice is written as its JSON, since lists are no choices to Optuna."""
        named = {parameter.name: parameter for parameter in self._space.parameters if parameter.name in written}
        if len(named) < len(written):
            raise KeyError("a parameter of another search")
        return {name: _read(parameter, written[name]) for name, parameter in named.items()}

    def _written(self, name: str, value: Value) -> Any:  # noqa: ANN401
        chosen = any(parameter.name == name and parameter.choices for parameter in self._space.parameters)
        return json.dumps(value) if chosen else value


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


def _mend(journal: Path) -> None:
    """Take away what a kill in the midst of writing left: half a line, and a lock that nobody holds any more."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with journal.open("r+b") as file:
                file.truncate(whole)


_STATES: Mapping[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
