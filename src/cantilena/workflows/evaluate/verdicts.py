"""Conclusions from the metrics of a system, in sentences: collapse, copying, differences from human melodies.

A conclusion is drawn where the interval of a metric clears its bound, not where its value alone does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from cantilena.metrics import Difference
from cantilena.metrics.registry import ORIGINALITY, get_metric
from cantilena.reporting.data import SIGNIFICANCE_LEVEL, Tone
from cantilena.reporting.tables import number
from cantilena.reporting.text import listed
from cantilena.workflows.evaluate.systems import HUMAN

Kind = Literal[
    "few",
    "short",
    "unmatched",
    "collapse",
    "less-varied",
    "copies",
    "unlike",
    "like",
    "same",
    "told-apart",
    "not-told-apart",
    "not-heard",
]

TONES: Mapping[Kind, Tone] = {
    **dict.fromkeys(get_args(Kind), "note"),
    **dict.fromkeys(("like", "same", "not-told-apart"), "good"),
    **dict.fromkeys(("collapse", "less-varied", "copies"), "bad"),
}
"""Whether a verdict is welcome."""

MIN_MELODIES = 20
"""With fewer melodies nothing can be concluded."""

_MIN_VARIETY = 0.9
"""The share of the reference's diversity (distinct-4, Vendi score) that a system must have, as during tuning."""

_COLLAPSED = 0.5
"""Below this share of different melodies, or of the reference's Vendi score, a system has collapsed."""

_MIN_NOTES = 0.9
"""Diversity is not compared if one set has fewer notes than this share of the other's."""

_MIN_LENGTH = 0.75
"""Melodies shorter than this share of the reference's are reported as shorter."""

_BORROWED = 0.05
"""The share of human excerpts that copy more than `copied_beyond_people` allows, by its definition."""

_NAMED_GROUPS = 3
"""The number of groups of features that a verdict names."""


class Verdict(NamedTuple):
    """One sentence about a system, or about a pair, whose names are joined by " and "."""

    system: str
    kind: Kind
    text: str


def system_verdicts(
    name: str,
    system: Mapping[str, Any],
    reference: Mapping[str, Any],
    differences: Sequence[Difference],
    *,
    kinds: int,
    longest_copy: str = "",
) -> list[Verdict]:
    """All conclusions about a system, from its entry of results.json and that of the reference.

    `kinds` is its number of different melodies, `longest_copy` the source of its longest copied run.
    """
    metrics, sizes = system["metrics"], {"": int(system["melodies"]), "people's: ": int(reference["melodies"])}
    repetition, copying = _repetition(name, sizes[""], kinds), _copying(name, metrics, longest_copy)
    few = [
        f"{whose}{count} melod{'y' if count == 1 else 'ies'}" for whose, count in sizes.items() if count < MIN_MELODIES
    ]
    if few:
        too_few = Verdict(name, "few", f"{'; '.join(few)}: too few to conclude anything")
        return [too_few, *repetition, *copying]
    variety = repetition or _variety(name, metrics, reference["metrics"])
    return [*variety, *copying, *_likeness(name, system, reference, differences)]


def length_verdict(name: str, steps: int, reference_steps: int) -> list[Verdict]:
    """Whether the median length of a system's melodies is much below the reference's."""
    if steps >= _MIN_LENGTH * reference_steps:
        return []
    shorter = f"its melodies are shorter, {steps} steps beside {reference_steps}: some numbers differ for that alone"
    return [Verdict(name, "short", shorter)]


def matching_verdict(name: str, difference: str) -> list[Verdict]:
    """Whether the human melodies are of other meters or modes, told by `matching.mismatch`."""
    text = f"it is compared with unlike melodies: {difference}; some numbers differ for that alone"
    return [Verdict(name, "unmatched", text)] if difference else []


def pair_verdicts(first: str, second: str, differences: Sequence[Difference]) -> list[Verdict]:
    """How many metrics of two systems differ, after correction."""
    tested, significant = _tested(differences)
    both = f"{first} and {second}"
    if not tested:
        return []
    if not significant:
        return [Verdict(both, "same", f"no difference: 0 of {len(tested)} numbers tell one from the other")]
    return [Verdict(both, "unlike", f"{len(significant)} of {len(tested)} numbers differ")]


def listener_verdict(name: str, answer: Mapping[str, Any]) -> Verdict:
    """Whether classifiers tell a system from human melodies, from `discriminators.TwoSampleResult` as JSON."""
    if answer["refused"]:
        return Verdict(name, "not-heard", f"the machine listener does not answer: {answer['refused']}")
    accuracy, auc = answer["accuracy"], answer["auc"]
    right = f"{100 * accuracy['value']:.0f} % right ({100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f})"
    if accuracy["low"] <= 0.5:
        return Verdict(name, "not-told-apart", f"a machine does not tell its melodies from people's: {right}")
    text = f"a machine tells its melodies from people's: {right}, where 50 % is chance, AUC {auc['value']:.2f}"
    # The groups are sorted. Of those with an AUC above chance, the first few are enough in a sentence.
    groups = [one for one in answer.get("groups", ()) if one["auc"]["low"] is not None and one["auc"]["low"] > 0.5]
    if groups:
        alone = [f"{one['group']} ({one['auc']['value']:.2f})" for one in groups[:_NAMED_GROUPS]]
        text += f". What gives them away, by the AUC of that alone: {listed(alone)}"
    return Verdict(name, "told-apart", text)


def _repetition(name: str, melodies: int, kinds: int) -> list[Verdict]:
    if melodies < 2 or kinds >= _COLLAPSED * melodies:
        return []
    only = f"only {kinds:,} {'is' if kinds == 1 else 'are'} different"
    return [Verdict(name, "collapse", f"it plays the same again: of {melodies:,} melodies {only}")]


def _variety(name: str, metrics: Mapping[str, Any], reference: Mapping[str, Any]) -> list[Verdict]:
    shares = {metric: _share_of(reference, metrics, metric) for metric in ("vendi", "distinct_4")}
    lacking = {metric: share for metric, share in shares.items() if share is not None and share[1] < _MIN_VARIETY}
    if not lacking:
        return []
    text = " and ".join(f"{100 * share:.0f} % by {get_metric(metric).label}" for metric, (share, _) in lacking.items())
    collapsed = lacking.get("vendi", (1.0, 1.0))[1] < _COLLAPSED
    return [Verdict(name, "collapse" if collapsed else "less-varied", f"less varied than people's melodies: {text}")]


def _share_of(reference: Mapping[str, Any], metrics: Mapping[str, Any], metric: str) -> tuple[float, float] | None:
    """A metric as a share of the reference's, and the upper bound of that."""
    own, other = metrics.get(metric) or {}, reference.get(metric) or {}
    if own.get("value") is None or not other.get("value"):
        return None
    if min(own["notes"], other["notes"]) < _MIN_NOTES * max(own["notes"], other["notes"]):
        return None
    highest = own["value"] if own.get("high") is None else own["high"]
    return own["value"] / other["value"], highest / other["value"]


def _copying(name: str, metrics: Mapping[str, Any], longest_copy: str) -> list[Verdict]:
    beyond, covered = metrics.get("copied_beyond_people") or {}, metrics.get("copied_share") or {}
    if beyond.get("value") is None or covered.get("value") is None:
        return []
    lowest = beyond["low"] if beyond.get("low") is not None else beyond["value"]
    if lowest <= 2 * _BORROWED:
        return []
    most = number(beyond["value"], get_metric("copied_beyond_people"))
    share = number(covered["value"], get_metric("copied_share"))
    where = f"; the longest copy: {longest_copy}" if longest_copy else ""
    text = (
        f"it copies: {most} of its melodies repeat a longer run of the corpus than 95 % of people's do, on average "
        f"{share} of a melody's notes in one run{where}"
    )
    return [Verdict(name, "copies", text)]


def _likeness(
    name: str, system: Mapping[str, Any], reference: Mapping[str, Any], differences: Sequence[Difference]
) -> list[Verdict]:
    # Copying has a verdict of its own: human pieces that are in the corpus do not differ from human melodies.
    tested, significant = _tested([one for one in differences if get_metric(one.metric).group != ORIGINALITY])
    if not tested:
        return []
    if not significant:
        return [Verdict(name, "like", f"no number tells it from people's melodies (0 of {len(tested)})")]
    # RL Tuner and the paper count some events in two ways under one label: name the clearer one.
    clearest: dict[str, str] = {}
    for one in sorted(significant, key=lambda one: -_clearness(system, reference, one.metric)):
        clearest.setdefault(get_metric(one.metric).label, one.metric)
    most = "; ".join(_beside(system, reference, metric) for metric in [*clearest.values()][:3])
    return [Verdict(name, "unlike", f"{len(significant)} of {len(tested)} numbers differ from people's, most: {most}")]


def _tested(differences: Sequence[Difference]) -> tuple[list[Difference], list[Difference]]:
    """Those that were tested, and of them those that are significant after correction."""
    tested = [one for one in differences if one.adjusted is not None]
    return tested, [one for one in tested if one.adjusted is not None and one.adjusted <= SIGNIFICANCE_LEVEL]


def _clearness(system: Mapping[str, Any], reference: Mapping[str, Any], metric: str) -> float:
    """The distance of two numbers in widths of their intervals."""
    own, other = system["metrics"][metric], reference["metrics"][metric]
    width = sum((entry["high"] - entry["low"]) for entry in (own, other) if entry.get("low") is not None)
    return abs(float(own["value"]) - float(other["value"])) / max(float(width), 1e-9)


def _beside(system: Mapping[str, Any], reference: Mapping[str, Any], metric: str) -> str:
    words = get_metric(metric)
    own, other = (number(one["metrics"][metric]["value"], words) for one in (system, reference))
    return f"{words.label[:1].lower()}{words.label[1:]} {own} ({HUMAN}: {other})"
