"""The report in three sentences, computed from the numbers: what was measured, how good it is, whether it collapsed."""

from __future__ import annotations

from cantilena.reporting.data import PEOPLE, ReportData
from cantilena.reporting.summary_of_systems import how_alike, how_diverse
from cantilena.reporting.summary_of_tuning import what_it_cost, what_tuning_gained
from cantilena.reporting.text import counted, sentence


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
    sizes = sorted({count for name, count in counts.items() if name != PEOPLE})
    several = sum(name != PEOPLE for name in counts)
    parts = []
    if sizes:
        each = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        made = "composed" if is_tuned else "has" if several == 1 else "have"
        melodies = "melody" if sizes == [1] else "melodies"
        parts.append(f"{counted(several, 'system')} {made} {each} {melodies}{' each' if several > 1 else ''}")
    if PEOPLE in counts:
        excerpts = counted(counts[PEOPLE], "held-out human excerpt")
        parts.append(f"{excerpts} stand{'s' if counts[PEOPLE] == 1 else ''} beside them" if parts else excerpts)
    learned, name = _learned(data), data.corpus.get("name")
    if learned is not None and (is_tuned or data.curves):
        of = f" of the corpus {name}" if name else ""
        parts.append(f"the models learned from {counted(learned, 'melody')}{of}")
    elif name and PEOPLE in counts:
        parts.append(f"people's are of the corpus {name}")
    return sentence("; ".join(parts))


def _learned(data: ReportData) -> int | None:
    split = data.corpus.get("split") or {}
    learned = split.get("train", data.corpus.get("melodies"))
    return None if learned is None else int(learned)
