"""The report in three sentences, computed from the numbers: what was measured, what tuning gained, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cantilena.evaluation.metric_catalogue import words_of
from cantilena.evaluation.report_data import ReportData
from cantilena.evaluation.tables import number

_GAINS = {
    "excessively_repeated": "notes excessively repeated",
    "not_in_key": "notes not in key",
    "starts_on_tonic": "melodies that start on the tonic",
    "in_motif": "notes in a motif",
}
"""What tuning is after: the paper's table, and its rule on the tonic."""

ENOUGH_DIFFERENT, ENOUGH_DISTINCT = 0.99, 0.90
"""Below these, of all melodies and of the human distinct-4, rules were met by collapse."""


def summary(data: ReportData) -> tuple[str, str, str]:
    """Three sentences that follow from the numbers.

    Args:
        data: what the report is made of.
    """
    pair = next(((a, b) for a, b in data.tuned if a in data.systems and b in data.systems), None)
    return _what_was_measured(data), _what_tuning_gained(data, pair), _what_it_cost(data, pair)


def _what_was_measured(data: ReportData) -> str:
    counts = {name: int(system.get("melodies", 0)) for name, system in data.systems.items()}
    generated = sorted({count for name, count in counts.items() if name != "human"})
    if not counts:
        return "Nothing was measured in this run."
    each = f"{generated[0]:,}" if len(generated) == 1 else f"{generated[0]:,} to {generated[-1]:,}" if generated else ""
    parts = []
    if each:
        several = sum(name != "human" for name in counts)
        parts.append(f"{_count(several, 'system')} composed {each} melodies{' each' if several > 1 else ''}")
    if "human" in counts:
        parts.append(f"{_count(counts['human'], 'held-out human excerpt')} stand beside them")
    split = data.corpus.get("split") or {}
    learned = split.get("train", data.corpus.get("melodies"))
    if learned is not None:
        name = data.corpus.get("name")
        parts.append(
            f"the models learned from {_count(int(learned), 'melody')}" + (f" of the corpus {name}" if name else "")
        )
    return _sentence("; ".join(parts))


def _what_tuning_gained(data: ReportData, pair: tuple[str, str] | None) -> str:
    if pair is None:
        return "No model was tuned, so nothing can be said of tuning."
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
    return _sentence(f"From {pair[0]} to {pair[1]}, {_listed(changes)}: {verdict}{apart}")


def _what_it_cost(data: ReportData, pair: tuple[str, str] | None) -> str:
    name = pair[1] if pair else next((name for name in data.systems if name != "human"), None)
    if name is None:
        return "Nothing was composed, so nothing can be said of diversity."
    system = data.systems[name]
    different, distinct = _value(system, "different_melodies"), _value(system, "distinct_4")
    other = "human" if _value(data.systems.get("human", {}), "distinct_4") else (pair[0] if pair else "")
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
    distance = f", {kl:.2f} nats a step from where it started" if kl is not None and pair else ""
    if collapsed:
        verdict = "diversity was lost, so what was gained on the rules was had, at least in part, by repetition"
    else:
        verdict = "what was gained was not had by playing the same again" if pair else "it does not repeat itself"
    return _sentence(f"With {name}, {' and '.join(facts)}{distance}: {verdict}")


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


def _count(count: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
