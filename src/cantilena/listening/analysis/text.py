"""The analysis in sentences: what may be claimed, what may not, and the score in the paper's terms."""

from __future__ import annotations

from cantilena.listening.analysis.analysis import Analysis, ArmNumbers
from cantilena.listening.stats.hypothesis_tests import Claim
from cantilena.metrics import Interval
from cantilena.reporting.text import counted

SIMULATED = "Simulated listeners: nobody was asked. These numbers rehearse the study and say nothing about people."
"""What stands over everything that simulated listeners answered."""


def headline(analysis: Analysis) -> list[str]:
    """What was found, the most important first."""
    who = "simulated listener" if analysis.simulated else "listener"
    first = (
        f"{counted(len(analysis.listeners), who)} gave {counted(len(analysis.screened.trials), 'answer')} that count, "
        f"to {counted(len(analysis.clips), 'clip')}."
    )
    return [*([SIMULATED] if analysis.simulated else []), first, *(claim_words(one) for one in analysis.claims)]


def claim_words(claim: Claim) -> str:
    """A claim as a sentence, also where it does not stand.

    Example:
        >>> claim_words(Claim("told", "lstm", "human", Interval(0.68, 0.61, 0.75), 0.001, 0.002, 0.001, 0.001))
        "lstm is told from people's clips: right answers 68 % (61 to 75 %), p = 0.002."
        >>> claim_words(Claim("differ", "lstm", "tuned", Interval(-0.2, -0.3, -0.1), 0.001, 0.002, 0.001, 0.001))
        'tuned is called human more often than lstm: by 20 % (10 to 30 %), p = 0.002.'
    """
    size = percent(claim.size)
    p = p_words(claim.adjusted)
    if claim.kind == "equal":
        if claim.stands:
            return f"{claim.one} cannot be told from people's clips within the margin: right answers {size}, {p}."
        return f"It is not shown that {claim.one} cannot be told from people's clips: right answers {size}, {p}."
    if claim.kind == "told":
        if not claim.stands:
            return f"It is not shown that {claim.one} is told from people's clips: right answers {size}, {p}."
        if claim.size.value < 0.5:
            return f"{claim.one} is told from people's clips, and called human more often than they: {size}, {p}."
        return f"{claim.one} is told from people's clips: right answers {size}, {p}."
    if claim.stands:
        more, less, by = claim.one, claim.other, claim.size
        if by.value < 0:
            more, less, by = less, more, Interval(-by.value, -by.high, -by.low)
        return f"{more} is called human more often than {less}: by {percent(by)}, {p}."
    return f"It is not shown that {claim.one} and {claim.other} differ: difference {size}, {p}."


def papers_words(arm: ArmNumbers) -> str:
    """The score as the paper tells it, and beside it what that leaves out."""
    return (
        f"{arm.name}: Turing score {arm.of_ten / 10:.1f}, passed {arm.of_ten} of 10 "
        f"(called human in {arm.called_human:,} of {arm.trials:,} trials; {arm.passed} of {arm.clips} clips were "
        "called human by more than half of those who heard them)"
    )


def screening_words(analysis: Analysis) -> list[str]:
    """Who and what was left out, and how the checks went."""
    found = [f"Listener {name} does not count: {reason}." for name, reason in analysis.screened.left_out.items()]
    for reason, times in sorted(analysis.screened.dropped.items()):
        found.append(f"{counted(times, 'trial')} left out: {reason}.")
    for (times, of), words in (
        (analysis.screened.anchors, "negative anchors called human"),
        (analysis.screened.repeats, "repeats answered as before"),
    ):
        found += [f"{times} of {of} {words}."] if of else []
    return found or ["Nobody and nothing was left out."]


def analysis_text(analysis: Analysis) -> str:
    """The answer for a terminal."""
    lines = [*headline(analysis), "", f"{'arm':<16}{'trials':>7}{'called human':>22}{'d-prime':>22}{'c':>8}"]
    for arm in analysis.arms:
        beside = f"{'':>22}{'':>8}"
        if arm.name != analysis.study.arms[0]:
            beside = f"{number(arm.d_prime):>22}{arm.criterion.value:>8.2f}"
        lines.append(f"{arm.name[:15]:<16}{arm.trials:>7,}{percent(arm.share):>22}{beside}")
    return "\n".join([*lines, "", "As the paper counts:", *(f"  {papers_words(arm)}" for arm in analysis.arms)])


def percent(interval: Interval) -> str:
    """A share and its bounds.

    Example:
        >>> percent(Interval(0.4, 0.2, 0.6))
        '40 % (20 to 60 %)'
    """
    low, high = (f"{100 * bound:.0f}".replace("-", "−") for bound in (interval.low, interval.high))
    return f"{100 * interval.value:.0f} % ({low} to {high} %)".replace("-", "−")


def number(interval: Interval) -> str:
    """A number and its bounds; a dash where there is none."""
    if interval.value != interval.value:  # NaN
        return "–"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})".replace("-", "−")


def p_words(p: float) -> str:
    """A p-value as it is read."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
