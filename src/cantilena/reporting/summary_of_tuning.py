"""What tuning gained and what it cost, in two sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cantilena.metrics.registry import words_of
from cantilena.reporting.data import PEOPLE, ReportData
from cantilena.reporting.tables import number
from cantilena.reporting.text import listed, sentence

_GAINS = {
    "excessively_repeated": "notes excessively repeated",
    "not_in_key": "notes not in key",
    "starts_on_tonic": "melodies that start on the tonic",
    "in_motif": "notes in a motif",
}
"""What tuning is after: the paper's table, and its rule on the tonic."""

ENOUGH_DIFFERENT, ENOUGH_DISTINCT = 0.99, 0.90
"""Below these, of all melodies and of the human distinct-4, rules were met by collapse."""


def what_tuning_gained(data: ReportData, pair: tuple[str, str]) -> str:
    """Which of the numbers that tuning is after changed, and whether clearly for the better.

    Args:
        data: what the report is made of.
        pair: the system before and the one after tuning; both are in the results.
    """
    before, after = (data.systems[name] for name in pair)
    changes, clear = [], 0
    for metric, noun in _GAINS.items():
        old, new = _entry(before, metric), _entry(after, metric)
        if old is None or new is None:
            continue
        words = words_of(metric)
        changes.append(f"{noun} went from {number(old['value'], words)} to {number(new['value'], words)}")
        clear += _is_clearly_better(old, new, less=words.wish == "less")
    if not changes:
        return f"Tuning was done ({pair[0]} to {pair[1]}), but none of the metrics that it is after was measured."
    all_of_them = "" if len(changes) == 1 else "all "
    verdict = {len(changes): f"{all_of_them}clearly for the better", 0: "not clearly for the better"}.get(
        clear, f"{clear} of these {len(changes)} clearly for the better"
    )
    apart = " (the intervals do not touch)" if clear else ""
    return sentence(f"From {pair[0]} to {pair[1]}, {listed(changes)}: {verdict}{apart}")


def what_it_cost(data: ReportData, pair: tuple[str, str]) -> str:
    """How much diversity is left after tuning, and how far the model has moved.

    Args:
        data: what the report is made of.
        pair: the system before and the one after tuning; both are in the results.
    """
    before, name = pair
    system = data.systems[name]
    different, distinct = _value(system, "different_melodies"), _value(system, "distinct_4")
    other = PEOPLE if _value(data.systems.get(PEOPLE, {}), "distinct_4") else before
    reference = _value(data.systems.get(other, {}), "distinct_4")
    facts, collapsed = [], False
    if different is not None:
        facts.append(f"{number(different, words_of('different_melodies'))} of its melodies are different")
        collapsed |= different < ENOUGH_DIFFERENT
    if distinct is not None and reference:
        facts.append(f"its distinct-4 is {100 * distinct / reference:.0f}\u00a0% of the {other} value")
        collapsed |= distinct < ENOUGH_DISTINCT * reference
    if not facts:
        return f"The diversity of {name} was not measured, so its other numbers could be those of one melody for ever."
    kl = _value(system, "kl_per_step")
    distance = f", {kl:.2f} nats a step from where it started" if kl is not None else ""
    if collapsed:
        verdict = "diversity was lost, so what was gained on the rules was had, at least in part, by repetition"
    else:
        verdict = "what was gained was not had by playing the same again"
    return sentence(f"With {name}, {' and '.join(facts)}{distance}: {verdict}")


def _entry(system: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    entry = system.get("metrics", {}).get(metric)
    return entry if entry and entry.get("value") is not None else None


def _value(system: Mapping[str, Any], metric: str) -> float | None:
    entry = _entry(system, metric)
    return None if entry is None else float(entry["value"])


def _is_clearly_better(old: Mapping[str, Any], new: Mapping[str, Any], *, less: bool) -> bool:
    if less:
        return bool((new.get("high") or new["value"]) < (old["value"] if old.get("low") is None else old["low"]))
    return bool((new["value"] if new.get("low") is None else new["low"]) > (old.get("high") or old["value"]))
