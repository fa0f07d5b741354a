"""The report in three sentences, computed from the numbers: what was measured, how good it is, whether it collapsed.

How systems stand beside people and each other, in two sentences, for any set of systems.

What tuning gained and what it cost, in two sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cantilena.metrics.registry import ORIGINALITY, get_metric, in_order
from cantilena.reporting.data import HUMAN, SIGNIFICANCE_LEVEL, ReportData
from cantilena.reporting.tables import number
from cantilena.reporting.text import counted, listed, sentence

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
        old, new = _entry_of(before, metric), _entry_of(after, metric)
        if old is None or new is None:
            continue
        words = get_metric(metric)
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
    different, distinct = _value_of(system, "different_melodies"), _value_of(system, "distinct_4")
    other = HUMAN if _value_of(data.systems.get(HUMAN, {}), "distinct_4") else before
    reference = _value_of(data.systems.get(other, {}), "distinct_4")
    facts, collapsed = [], False
    if different is not None:
        facts.append(f"{number(different, get_metric('different_melodies'))} of its melodies are different")
        collapsed |= different < ENOUGH_DIFFERENT
    if distinct is not None and reference:
        facts.append(f"its distinct-4 is {100 * distinct / reference:.0f}\u00a0% of the {other} value")
        collapsed |= distinct < ENOUGH_DISTINCT * reference
    if not facts:
        return f"The diversity of {name} was not measured, so its other numbers could be those of one melody for ever."
    kl = _value_of(system, "kl_per_step")
    distance = f", {kl:.2f} nats a step from where it started" if kl is not None else ""
    if collapsed:
        verdict = "diversity was lost, so what was gained on the rules was had, at least in part, by repetition"
    else:
        verdict = "what was gained was not had by playing the same again"
    return sentence(f"With {name}, {' and '.join(facts)}{distance}: {verdict}")


def _entry_of(system: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    entry = system.get("metrics", {}).get(metric)
    return entry if entry and entry.get("value") is not None else None


def _value_of(system: Mapping[str, Any], metric: str) -> float | None:
    entry = _entry_of(system, metric)
    return None if entry is None else float(entry["value"])


def _is_clearly_better(old: Mapping[str, Any], new: Mapping[str, Any], *, less: bool) -> bool:
    if less:
        return bool((new.get("high") or new["value"]) < (old["value"] if old.get("low") is None else old["low"]))
    return bool((new["value"] if new.get("low") is None else new["low"]) > (old.get("high") or old["value"]))


_MOST_NAMED = 5
"""Of more systems than this, the nearest and the furthest are named."""


def how_alike(data: ReportData) -> str:
    """In how many numbers each system differs from people's melodies; without these, from one another.

    Counted are the differences that hold after correction, where they were tested; else the numbers whose intervals do
    not touch.

    Args:
        data: what the report is made of.

    Example:
        >>> def one(low, high):
        ...     return {"melodies": 9, "metrics": {"in_motif": {"value": (low + high) / 2, "low": low, "high": high}}}
        >>> print(how_alike(ReportData({"systems": {"a": one(0.1, 0.3), "human": one(0.2, 0.4)}})))
        The intervals of a and of people's melodies touch in all of 1 number.
    """
    systems = [name for name in data.systems if name != HUMAN]
    if not systems:
        return "No system stands beside people's melodies, so nothing is compared."
    if HUMAN in data.systems:
        return _beside(data, HUMAN, "people's melodies", systems)
    if len(systems) == 1:
        return (
            f"Nothing stands beside {systems[0]}, neither people's melodies nor another system: its numbers tell what "
            "it does, not how well."
        )
    first, *others = systems
    return _beside(data, first, first, others)


def how_diverse(data: ReportData) -> str:
    """How much of people's diversity each system has, and which play the same again.

    Args:
        data: what the report is made of.
    """
    systems = [name for name in data.systems if name != HUMAN]
    if not systems:
        return "Nothing was composed, so nothing can be said of diversity."
    people = _value(data, HUMAN, "distinct_4")
    facts, collapsed, unknown = [], [], []
    for name in systems:
        different, distinct = _value(data, name, "different_melodies"), _value(data, name, "distinct_4")
        if different is None and (distinct is None or not people):
            unknown.append(name)
            continue
        told = []
        if different is not None:
            told.append(f"{number(different, get_metric('different_melodies'))} different melodies")
        if distinct is not None and people:
            told.append(f"{100 * distinct / people:.0f}\u00a0% of the human distinct-4")
        facts.append(f"{listed(told)} in {name}")  # a sentence that began with a name would write it large
        fewer = different is not None and different < ENOUGH_DIFFERENT
        poorer = distinct is not None and people is not None and distinct < ENOUGH_DISTINCT * people
        if fewer or poorer:
            collapsed.append(name)
    if not facts:
        whose = listed(systems) if len(systems) <= _MOST_NAMED else f"all {len(systems)} systems"
        return f"The diversity of {whose} was not measured, so other numbers could be those of one melody for ever."
    if len(facts) > _MOST_NAMED:
        facts = [f"the diversity of {counted(len(facts), 'system')} was measured"]
    return sentence(f"{'; '.join(facts)}: {_verdict(collapsed, len(systems) - len(unknown))}")


def _verdict(collapsed: list[str], measured: int) -> str:
    if not collapsed:
        return "it does not repeat itself" if measured == 1 else "none of them repeats itself"
    which = listed(collapsed) if len(collapsed) <= _MOST_NAMED else counted(len(collapsed), "system")
    those = "its" if len(collapsed) == 1 else "their"
    return f"{which} lost diversity, so that {those} other numbers were had, at least in part, by repetition"


def _beside(data: ReportData, reference: str, called: str, systems: list[str]) -> str:
    """In how many numbers systems differ from one that they are held beside."""
    tested = {name: _tested(data, reference, name) for name in systems}
    if all(count for _, count in tested.values()):
        told = [f"{held} of {count} numbers tell {name} from {called}" for name, (held, count) in tested.items()]
        if len(told) > _MOST_NAMED:
            order = sorted(tested, key=lambda name: tested[name][0] / tested[name][1])
            told = [f"{called} are told by the fewest numbers from {order[0]}, by the most from {order[-1]}"]
        return sentence(f"after correction for many tests, {listed(told)}")
    apart = {name: _apart(data, reference, name) for name in systems}
    known = {name: found for name, found in apart.items() if found[1]}
    if not known:
        return f"No number was measured with its interval both for {called} and for {listed(systems[:_MOST_NAMED])}."
    if len(known) > _MOST_NAMED:
        order = sorted(known, key=lambda name: len(known[name][0]) / known[name][1])
        return (
            f"Of {len(known)} systems {order[0]} is nearest to {called} and {order[-1]} furthest, by how many of their "
            "intervals do not touch."
        )
    return " ".join(sentence(_told(data, reference, called, name, *found)) for name, found in known.items())


def _told(data: ReportData, reference: str, called: str, name: str, metrics: list[str], count: int) -> str:
    among = f"{len(metrics)} of {counted(count, 'number')}" if metrics else f"any of {counted(count, 'number')}"
    text = f"the intervals of {name} and of {called} {'do not touch' if metrics else 'touch'} in {among}"
    if not metrics:
        return text.replace("in any of", "in all of")
    most = max(metrics, key=lambda metric: _distance(data, reference, name, metric))
    words = get_metric(most)
    own, other = (number(float(_entry(data, one, most)["value"]), words) for one in (name, reference))
    return f"{text}, as in {words.label[:1].lower()}{words.label[1:]} ({own} beside {other})"


def _tested(data: ReportData, reference: str, name: str) -> tuple[int, int]:
    """How many differences between two systems hold, of how many that were tested."""
    pair = [one for one in data.differences if {one.first, one.second} == {reference, name}]
    if reference == HUMAN:  # what is copied is said on its own: pieces of people's that the corpus has are people's
        pair = [one for one in pair if get_metric(one.metric).group != ORIGINALITY]
    adjusted = [one.adjusted for one in pair if one.adjusted is not None and not math.isnan(one.adjusted)]
    return sum(p <= SIGNIFICANCE_LEVEL for p in adjusted), len(adjusted)


def _apart(data: ReportData, reference: str, name: str) -> tuple[list[str], int]:
    """The metrics whose intervals do not touch, and how many both systems have."""
    shared = [
        metric
        for metric in in_order(data.systems[name].get("metrics", {}))
        if all(_entry(data, one, metric).get("low") is not None for one in (reference, name))
    ]
    return [metric for metric in shared if _distance(data, reference, name, metric) > 0], len(shared)


def _distance(data: ReportData, reference: str, name: str, metric: str) -> float:
    """How far two intervals lie apart, in widths of both together; 0 or less where they touch."""
    one, other = _entry(data, reference, metric), _entry(data, name, metric)
    gap = max(float(one["low"]) - float(other["high"]), float(other["low"]) - float(one["high"]))
    width = float(one["high"]) - float(one["low"]) + float(other["high"]) - float(other["low"])
    return gap / max(width, 1e-9)


def _entry(data: ReportData, system: str, metric: str) -> Mapping[str, Any]:
    entry = data.systems.get(system, {}).get("metrics", {}).get(metric) or {}
    return entry if entry.get("value") is not None else {}


def _value(data: ReportData, system: str, metric: str) -> float | None:
    value = _entry(data, system, metric).get("value")
    return None if value is None else float(value)


def summary(data: ReportData) -> tuple[str, str, str]:
    """Three sentences that follow from the numbers.

    Where a model was tuned: what was measured, what tuning gained, what it cost. For any other set of systems: what was
    measured, how far they are from people's melodies or from each other, how diverse they are.

    Args:
        data: what the report is made of.

    Example:
        >>> print(summary(ReportData({"systems": {"mine": {"melodies": 5, "metrics": {}}}}))[0])
        1 system has 5 melodies.
    """
    pair = next(((a, b) for a, b in data.tuned if a in data.systems and b in data.systems), None)
    measured = _what_was_measured(data, is_tuned=pair is not None)
    if pair is not None:
        return measured, what_tuning_gained(data, pair), what_it_cost(data, pair)
    return measured, how_alike(data), how_diverse(data)


def _what_was_measured(data: ReportData, *, is_tuned: bool) -> str:
    counts = {name: int(system.get("melodies", 0)) for name, system in data.systems.items()}
    if not counts:
        return "Nothing was measured in this run."
    sizes = sorted({count for name, count in counts.items() if name != HUMAN})
    several = sum(name != HUMAN for name in counts)
    parts = []
    if sizes:
        each = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        made = "composed" if is_tuned else "has" if several == 1 else "have"
        melodies = "melody" if sizes == [1] else "melodies"
        parts.append(f"{counted(several, 'system')} {made} {each} {melodies}{' each' if several > 1 else ''}")
    if HUMAN in counts:
        excerpts = counted(counts[HUMAN], "held-out human excerpt")
        parts.append(f"{excerpts} stand{'s' if counts[HUMAN] == 1 else ''} beside them" if parts else excerpts)
    learned, name = _learned(data), data.corpus.get("name")
    if learned is not None and (is_tuned or data.curves):
        of = f" of the corpus {name}" if name else ""
        parts.append(f"the models learned from {counted(learned, 'melody')}{of}")
    elif name and HUMAN in counts:
        parts.append(f"people's are of the corpus {name}")
    return sentence("; ".join(parts))


def _learned(data: ReportData) -> int | None:
    split = data.corpus.get("split") or {}
    learned = split.get("train", data.corpus.get("melodies"))
    return None if learned is None else int(learned)
