"""What the numbers say of each system, in sentences: collapse, copying, and where it is unlike people.

A verdict is said where the interval of a number clears its bound, not where the number alone does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from cantilena.metrics import Difference
from cantilena.metrics.registry import ORIGINALITY, get_metric
from cantilena.reporting.data import SIGNIFICANCE_LEVEL
from cantilena.reporting.tables import number
from cantilena.workflows.evaluate.systems import HUMAN

Kind = Literal[
    "few",
    "short",
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

TONES: Mapping[Kind, Literal["good", "bad", "note"]] = {
    "few": "note",
    "short": "note",
    "collapse": "bad",
    "less-varied": "bad",
    "copies": "bad",
    "unlike": "note",
    "like": "good",
    "told-apart": "note",
    "not-told-apart": "good",
    "not-heard": "note",
    "same": "good",
}
"""Whether a verdict is welcome."""

FEW = 20
"""With fewer melodies than this, nothing can be concluded."""

ENOUGH = 0.9
"""The share of people's diversity that a system must have (of distinct-4 and the Vendi score, as while tuning)."""

COLLAPSED = 0.5
"""Below this share of different melodies, or of people's Vendi score, a system plays the same again."""

_AS_MANY = 0.9
"""Of two sets, one with fewer notes than this share of the other's is not held beside it."""

_AS_LONG = 0.75
"""Melodies shorter than this share of people's are told to be shorter."""

BORROWED = 0.05
"""The share of people's own excerpts that borrow more than `copied_beyond_people` allows, by its definition."""


class Verdict(NamedTuple):
    """One sentence about a system.

    Args:
        system: whose; two names with " and " between for a pair.
        kind: what is said.
        text: the sentence.
    """

    system: str
    kind: Kind
    text: str


def verdicts(
    name: str,
    system: Mapping[str, Any],
    people: Mapping[str, Any],
    differences: Sequence[Difference],
    *,
    kinds: int,
    longest_copy: str = "",
) -> list[Verdict]:
    """All that is to be said of a system.

    Args:
        name: of the system.
        system: its entry of results.json.
        people: that of people's melodies; beside a few of them nothing is concluded.
        differences: of the system from people, corrected.
        kinds: how many different melodies it has.
        longest_copy: where its longest copied run is from, in words.
    """
    metrics, sizes = system["metrics"], {"": int(system["melodies"]), "people's: ": int(people["melodies"])}
    said, copying = _repetition(name, sizes[""], kinds), _copying(name, metrics, longest_copy)
    few = [f"{whose}{count} melod{'y' if count == 1 else 'ies'}" for whose, count in sizes.items() if count < FEW]
    if few:
        return [Verdict(name, "few", f"{'; '.join(few)}: too few to conclude anything"), *said, *copying]
    said = said or _variety(name, metrics, people["metrics"])
    return [*said, *copying, *_likeness(name, system, people, differences)]


def of_length(name: str, steps: int, people: int) -> Verdict | None:
    """Whether a system's melodies are much shorter than people's beside them; None where they are not.

    Args:
        name: of the system.
        steps: the median length of its melodies.
        people: that of people's.
    """
    if steps >= _AS_LONG * people:
        return None
    shorter = f"its melodies are shorter, {steps} steps beside {people}: some numbers differ for that alone"
    return Verdict(name, "short", shorter)


def of_pair(first: str, second: str, differences: Sequence[Difference]) -> list[Verdict]:
    """What two systems differ in, after correction."""
    tested, held = _tested_and_held(differences)
    if not tested:
        return []
    both = f"{first} and {second}"
    if not held:
        return [Verdict(both, "same", f"no difference: 0 of {len(tested)} numbers tell one from the other")]
    return [Verdict(both, "unlike", f"{len(held)} of {len(tested)} numbers differ")]


def of_listener(name: str, answer: Mapping[str, Any]) -> Verdict:
    """What the machine listener answered of a system.

    Args:
        name: of the system.
        answer: the JSON of `critic.TwoSampleResult`.
    """
    if answer["refused"]:
        return Verdict(name, "not-heard", f"the machine listener does not answer: {answer['refused']}")
    accuracy, auc = answer["accuracy"], answer["auc"]
    right = f"{100 * accuracy['value']:.0f} % right ({100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f})"
    if accuracy["low"] <= 0.5:
        return Verdict(name, "not-told-apart", f"a machine does not tell its melodies from people's: {right}")
    told = f"a machine tells its melodies from people's: {right}, where 50 % is chance, AUC {auc['value']:.2f}"
    return Verdict(name, "told-apart", told)


def _repetition(name: str, melodies: int, kinds: int) -> list[Verdict]:
    if melodies < 2 or kinds >= COLLAPSED * melodies:
        return []
    only = f"only {kinds:,} {'is' if kinds == 1 else 'are'} different"
    return [Verdict(name, "collapse", f"it plays the same again: of {melodies:,} melodies {only}")]


def _variety(name: str, metrics: Mapping[str, Any], people: Mapping[str, Any]) -> list[Verdict]:
    shares = {metric: _share_of(people, metrics, metric) for metric in ("vendi", "distinct_4")}
    lacking = {metric: share for metric, share in shares.items() if share is not None and share[1] < ENOUGH}
    if not lacking:
        return []
    told = " and ".join(f"{100 * share:.0f} % by {get_metric(metric).label}" for metric, (share, _) in lacking.items())
    collapsed = lacking.get("vendi", (1.0, 1.0))[1] < COLLAPSED
    return [Verdict(name, "collapse" if collapsed else "less-varied", f"less varied than people's melodies: {told}")]


def _share_of(people: Mapping[str, Any], metrics: Mapping[str, Any], metric: str) -> tuple[float, float] | None:
    """A number as a share of people's, and the upper bound of that."""
    own, theirs = metrics.get(metric) or {}, people.get(metric) or {}
    if own.get("value") is None or not theirs.get("value"):
        return None
    if min(own["notes"], theirs["notes"]) < _AS_MANY * max(own["notes"], theirs["notes"]):
        return None
    highest = own["value"] if own.get("high") is None else own["high"]
    return own["value"] / theirs["value"], highest / theirs["value"]


def _copying(name: str, metrics: Mapping[str, Any], longest_copy: str) -> list[Verdict]:
    beyond, covered = metrics.get("copied_beyond_people") or {}, metrics.get("copied_share") or {}
    if beyond.get("value") is None or covered.get("value") is None:
        return []
    surely = beyond["low"] if beyond.get("low") is not None else beyond["value"]
    if surely <= 2 * BORROWED:
        return []
    most = number(beyond["value"], get_metric("copied_beyond_people"))
    share = number(covered["value"], get_metric("copied_share"))
    where = f"; the longest copy: {longest_copy}" if longest_copy else ""
    return [
        Verdict(
            name,
            "copies",
            f"it copies: {most} of its melodies repeat a longer run of the corpus than 95 % of people's do, on average "
            f"{share} of a melody's notes in one run{where}",
        )
    ]


def _likeness(
    name: str, system: Mapping[str, Any], people: Mapping[str, Any], differences: Sequence[Difference]
) -> list[Verdict]:
    # What a melody copies is said on its own: people's pieces that are in the corpus are not unlike people's.
    tested, held = _tested_and_held([one for one in differences if get_metric(one.metric).group != ORIGINALITY])
    if not tested:
        return []
    if not held:
        return [Verdict(name, "like", f"no number tells it from people's melodies (0 of {len(tested)})")]
    # Some events are counted in two ways under one label, as RL Tuner and as the paper have them: the clearer is told.
    clearest: dict[str, str] = {}
    for one in sorted(held, key=lambda one: -_clearness(system, people, one.metric)):
        clearest.setdefault(get_metric(one.metric).label, one.metric)
    told = "; ".join(_beside(system, people, metric) for metric in [*clearest.values()][:3])
    return [Verdict(name, "unlike", f"{len(held)} of {len(tested)} numbers differ from people's, most: {told}")]


def _tested_and_held(differences: Sequence[Difference]) -> tuple[list[Difference], list[Difference]]:
    """Those that were tested, and of them those that hold after correction."""
    tested = [one for one in differences if one.adjusted is not None]
    return tested, [one for one in tested if one.adjusted is not None and one.adjusted <= SIGNIFICANCE_LEVEL]


def _clearness(system: Mapping[str, Any], people: Mapping[str, Any], metric: str) -> float:
    """How many widths of their intervals two numbers lie apart."""
    own, theirs = system["metrics"][metric], people["metrics"][metric]
    width = sum((entry["high"] - entry["low"]) for entry in (own, theirs) if entry.get("low") is not None)
    return abs(float(own["value"]) - float(theirs["value"])) / max(float(width), 1e-9)


def _beside(system: Mapping[str, Any], people: Mapping[str, Any], metric: str) -> str:
    words = get_metric(metric)
    own, theirs = (number(one["metrics"][metric]["value"], words) for one in (system, people))
    return f"{words.label[:1].lower()}{words.label[1:]} {own} ({HUMAN}: {theirs})"
