"""The summary of a report: three sentences computed from the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cantilena.metrics import Interval
from cantilena.metrics.registry import ORIGINALITY, get_metric, in_order
from cantilena.reporting.data import HUMAN, ReportData, read_interval
from cantilena.reporting.tables import is_significant, number
from cantilena.reporting.text import counted, listed, sentence

ENOUGH_DIFFERENT, ENOUGH_DISTINCT = 0.99, 0.90
"""Below these shares, of all melodies and of the human distinct-4, diversity was lost."""

_GAINS = {
    "excessively_repeated": "notes excessively repeated",
    "not_in_key": "notes not in key",
    "starts_on_tonic": "melodies that start on the tonic",
    "in_motif": "notes in a motif",
}
"""The goals of tuning: the paper's table, and its rule on the tonic."""

_MOST_NAMED = 5
"""Of more systems than this, only the nearest and the furthest are named."""


def summary(data: ReportData) -> tuple[str, str, str]:
    """Summarise the results in three sentences.

    If a model was tuned: what was measured, what improved, what it cost. For any other set of systems: what was
    measured, how they differ from human melodies or from each other, how diverse they are.

    Examples:
        >>> print(summary(ReportData({"systems": {"mine": {"melodies": 5, "metrics": {}}}}))[0])
        1 system has 5 melodies.
    """
    pair = next(((a, b) for a, b in data.tuned if a in data.systems and b in data.systems), None)
    measured = _what_was_measured(data, is_tuned=pair is not None)
    if pair is not None:
        return measured, _what_improved(data, pair), _what_it_cost(data, pair)
    return measured, _how_different(data), _how_diverse(data)


def _what_was_measured(data: ReportData, *, is_tuned: bool) -> str:
    counts = {name: int(system.get("melodies", 0)) for name, system in data.systems.items()}
    if not counts:
        return "Nothing was measured in this run."
    sizes = sorted({count for name, count in counts.items() if name != HUMAN})
    several = sum(name != HUMAN for name in counts)
    parts = []
    if sizes:
        each = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        verb = "composed" if is_tuned else "has" if several == 1 else "have"
        melodies = "melody" if sizes == [1] else "melodies"
        parts.append(f"{counted(several, 'system')} {verb} {each} {melodies}{' each' if several > 1 else ''}")
    corpus, name = data.corpus, data.corpus.get("name")
    if HUMAN in counts:
        excerpts = counted(counts[HUMAN], "held-out human excerpt")
        source = f" of the corpus {name}" if name and not is_tuned else ""
        verb = "is" if counts[HUMAN] == 1 else "are"
        parts.append(f"{excerpts}{source} {verb} the reference" if parts else f"{excerpts}{source}")
    learned = (corpus.get("split") or {}).get("train", corpus.get("melodies"))
    if learned is not None and (is_tuned or data.curves):
        source = f" of the corpus {name}" if name else ""
        parts.append(f"the models were trained on {counted(int(learned), 'melody')}{source}")
    return sentence("; ".join(parts))


def _what_improved(data: ReportData, pair: tuple[str, str]) -> str:
    """How the goals of tuning changed, and whether the intervals are disjoint."""
    changes, clear = [], 0
    for name, noun in _GAINS.items():
        old, new = (_interval(data, system, name) for system in pair)
        if old is None or new is None:
            continue
        metric = get_metric(name)
        changes.append(f"{noun} went from {number(old.value, metric)} to {number(new.value, metric)}")
        clear += new.high < old.low if metric.better == "less" else new.low > old.high
    if not changes:
        return f"Tuning was done ({pair[0]} to {pair[1]}), but none of its goals was measured."
    every = "" if len(changes) == 1 else "all "
    verdict = {len(changes): f"{every}clearly better", 0: "not clearly better"}.get(
        clear, f"{clear} of these {len(changes)} clearly better"
    )
    how = " (the intervals do not overlap)" if clear else ""
    return sentence(f"From {pair[0]} to {pair[1]}, {listed(changes)}: {verdict}{how}")


def _what_it_cost(data: ReportData, pair: tuple[str, str]) -> str:
    """How much diversity is left after tuning, and how far the model has moved."""
    before, name = pair
    different, distinct = _value(data, name, "different_melodies"), _value(data, name, "distinct_4")
    other = HUMAN if _value(data, HUMAN, "distinct_4") else before
    reference = _value(data, other, "distinct_4")
    facts = []
    if different is not None:
        facts.append(f"{number(different, get_metric('different_melodies'))} of its melodies are different")
    if distinct is not None and reference:
        facts.append(f"its distinct-4 is {100 * distinct / reference:.0f}\u00a0% of the {other} value")
    if not facts:
        return f"The diversity of {name} was not measured, so the improvement may be due to repetition."
    kl = _value(data, name, "kl_per_step")
    distance = f", {kl:.2f} nats a step from the untuned model" if kl is not None else ""
    if _is_collapsed(different, distinct, reference):
        verdict = "diversity was lost, so the improvement is at least partly due to repetition"
    else:
        verdict = "the improvement is not due to repetition"
    return sentence(f"With {name}, {' and '.join(facts)}{distance}: {verdict}")


def _is_collapsed(different: float | None, distinct: float | None, reference: float | None) -> bool:
    fewer = different is not None and different < ENOUGH_DIFFERENT
    return fewer or bool(distinct is not None and reference and distinct < ENOUGH_DISTINCT * reference)


def _how_different(data: ReportData) -> str:
    """In how many metrics each system differs from human melodies; without these, from the first system.

    Counts the significant differences where they were tested, else the metrics whose intervals do not overlap.
    """
    systems = [name for name in data.systems if name != HUMAN]
    if not systems:
        return "There is no system to compare with human melodies."
    if HUMAN in data.systems:
        return _compared(data, HUMAN, "human melodies", systems)
    if len(systems) == 1:
        return f"There are no human melodies and no other system to compare {systems[0]} with."
    return _compared(data, systems[0], systems[0], systems[1:])


def _compared(data: ReportData, reference: str, label: str, systems: list[str]) -> str:
    tested = {name: _count_significant(data, reference, name) for name in systems}
    if all(count for _, count in tested.values()):
        parts = [
            f"{name} differs from {label} in {differ} of {counted(count, 'metric')}"
            for name, (differ, count) in tested.items()
        ]
        if len(parts) > _MOST_NAMED:
            order = sorted(tested, key=lambda name: tested[name][0] / tested[name][1])
            parts = [f"{order[0]} differs from {label} in the fewest metrics, {order[-1]} in the most"]
        return sentence(f"after correction for multiple tests, {listed(parts)}")
    disjoint = {name: _disjoint(data, reference, name) for name in systems}
    known = {name: found for name, found in disjoint.items() if found[1]}
    if not known:
        return f"No metric has intervals both for {label} and for {listed(systems[:_MOST_NAMED])}."
    if len(known) > _MOST_NAMED:
        order = sorted(known, key=lambda name: len(known[name][0]) / known[name][1])
        return (
            f"Of {len(known)} systems, {order[0]} is nearest to {label} and {order[-1]} furthest, by the number of "
            "intervals that do not overlap."
        )
    return " ".join(_overlaps(data, reference, label, name, *found) for name, found in known.items())


def _count_significant(data: ReportData, reference: str, name: str) -> tuple[int, int]:
    """The number of significant differences between two systems, and of tested ones.

    Against human melodies, originality does not count: pieces of the reference may be in the corpus themselves.
    """
    pair = [one for one in data.differences if {one.first, one.second} == {reference, name}]
    if reference == HUMAN:
        pair = [one for one in pair if get_metric(one.metric).group != ORIGINALITY]
    return sum(map(is_significant, pair)), sum(one.adjusted is not None for one in pair)


def _disjoint(data: ReportData, reference: str, name: str) -> tuple[list[str], int]:
    """The metrics whose intervals do not overlap, and the number of those that both systems have."""
    shared = [
        metric
        for metric in in_order(data.systems[name].get("metrics", {}))
        if all(_has_bounds(data, one, metric) for one in (reference, name))
    ]
    return [metric for metric in shared if _gap(data, reference, name, metric) > 0], len(shared)


def _gap(data: ReportData, reference: str, name: str, metric: str) -> float:
    """The gap between two intervals, in widths of both together; 0 or less where they overlap."""
    one, other = (_interval(data, system, metric) for system in (reference, name))
    if one is None or other is None:
        return 0.0
    gap = max(one.low - other.high, other.low - one.high)
    return gap / max(one.high - one.low + other.high - other.low, 1e-9)


def _overlaps(data: ReportData, reference: str, label: str, name: str, metrics: list[str], count: int) -> str:
    if not metrics:
        return f"The intervals of {name} and of {label} overlap in all of {counted(count, 'metric')}."
    widest = max(metrics, key=lambda metric: _gap(data, reference, name, metric))
    metric = get_metric(widest)
    own, other = (number(_value(data, one, widest) or 0.0, metric) for one in (name, reference))
    return (
        f"The intervals of {name} and of {label} do not overlap in {len(metrics)} of {counted(count, 'metric')}, such "
        f"as {metric.label[:1].lower()}{metric.label[1:]} ({own} against {other})."
    )


def _how_diverse(data: ReportData) -> str:
    """The diversity of each system relative to human melodies, and which repeat themselves."""
    systems = [name for name in data.systems if name != HUMAN]
    if not systems:
        return "There are no composed melodies, so their diversity is unknown."
    human = _value(data, HUMAN, "distinct_4")
    facts, collapsed = [], []
    for name in systems:
        different, distinct = _value(data, name, "different_melodies"), _value(data, name, "distinct_4")
        parts = []
        if different is not None:
            parts.append(f"{number(different, get_metric('different_melodies'))} different melodies")
        if distinct is not None and human:
            parts.append(f"{100 * distinct / human:.0f}\u00a0% of the human distinct-4")
        if parts:
            facts.append(f"{listed(parts)} in {name}")  # not at the beginning: a name keeps its case
            collapsed += [name] if _is_collapsed(different, distinct, human) else []
    if not facts:
        whose = listed(systems) if len(systems) <= _MOST_NAMED else f"all {len(systems)} systems"
        return f"The diversity of {whose} was not measured, so good values may be due to repetition."
    verdict = "it does not repeat itself" if len(facts) == 1 else "none of them repeats itself"
    if collapsed:
        which = listed(collapsed) if len(collapsed) <= _MOST_NAMED else counted(len(collapsed), "system")
        verdict = f"{which} lost diversity, so good values are at least partly due to repetition"
    if len(facts) > _MOST_NAMED:
        facts = [f"the diversity of {counted(len(facts), 'system')} was measured"]
    return sentence(f"{'; '.join(facts)}: {verdict}")


def _has_bounds(data: ReportData, system: str, metric: str) -> bool:
    entry = _entry(data, system, metric)
    return entry.get("value") is not None and entry.get("low") is not None


def _value(data: ReportData, system: str, metric: str) -> float | None:
    interval = _interval(data, system, metric)
    return None if interval is None else interval.value


def _interval(data: ReportData, system: str, metric: str) -> Interval | None:
    return read_interval(_entry(data, system, metric))


def _entry(data: ReportData, system: str, metric: str) -> Mapping[str, Any]:
    return data.systems.get(system, {}).get("metrics", {}).get(metric) or {}
