"""Results of an analysis as sentences, and numbers with their intervals as text."""

from __future__ import annotations

import math

from cantilena.listening.analysis.analysis import Analysis, ArmResult
from cantilena.listening.stats.hypothesis_tests import HypothesisTest
from cantilena.metrics import Interval
from cantilena.reporting.text import counted

SIMULATED = "Simulated listeners: nobody was asked. These results test the procedure and say nothing about people."
"""The warning above all results of simulated listeners."""


def analysis_text(analysis: Analysis) -> str:
    """Return the answer for a terminal."""
    lines = [*headline(analysis), "", f"{'arm':<16}{'trials':>7}{'called human':>22}{'d-prime':>22}{'c':>8}"]
    for arm in analysis.arms:
        line = f"{arm.name[:15]:<16}{arm.trials:>7,}{percent(arm.share):>22}"
        if arm.name != analysis.study.arms[0]:
            line += f"{number(arm.d_prime):>22}{arm.criterion.value:>8.2f}"
        lines.append(line)
    return "\n".join(
        [*lines, "", "In the paper's terms:", *(f"  {describe_paper_score(arm)}" for arm in analysis.arms)]
    )


def headline(analysis: Analysis) -> list[str]:
    """Return the main results, the most important first."""
    listeners = counted(len(analysis.listeners), "simulated listener" if analysis.simulated else "listener")
    answers, clips = counted(len(analysis.screened.trials), "valid answer"), counted(len(analysis.clips), "clip")
    warning = [SIMULATED] if analysis.simulated else []
    return [*warning, f"{listeners} gave {answers} to {clips}.", *map(describe_test, analysis.tests)]


def describe_test(test: HypothesisTest) -> str:
    """Describe the result of a hypothesis test.

    Examples:
        >>> describe_test(HypothesisTest("told", "lstm", "human", Interval(0.68, 0.61, 0.75), 0.001, 0.002, 0.002))
        'lstm can be distinguished from human clips: correct answers 68 % (61 to 75 %), p = 0.002.'
        >>> describe_test(HypothesisTest("differ", "lstm", "tuned", Interval(-0.2, -0.3, -0.1), 0.001, 0.002, 0.002))
        'tuned is called human more often than lstm: by 20 % (10 to 30 %), p = 0.002.'
    """
    effect, p = percent(test.effect), p_text(test.p_holm)
    if test.kind == "differ":
        if not test.significant:
            return f"There is no evidence that {test.arm} and {test.other} differ: difference {effect}, {p}."
        more, less, by = test.arm, test.other, test.effect
        if by.value < 0:
            more, less, by = less, more, Interval(-by.value, -by.high, -by.low)
        return f"{more} is called human more often than {less}: by {percent(by)}, {p}."
    if test.kind == "equal":
        claim = f"{test.arm} is equivalent to human clips within the margin"
    elif test.effect.value < 0.5 and test.significant:
        return f"{test.arm} is called human more often than human clips: correct answers {effect}, {p}."
    else:
        claim = f"{test.arm} can be distinguished from human clips"
    return f"{claim if test.significant else f'There is no evidence that {claim}'}: correct answers {effect}, {p}."


def describe_paper_score(arm: ArmResult) -> str:
    """Describe the result of an arm in the paper's terms."""
    return (
        f"{arm.name}: Turing score {arm.passed_of_ten / 10:.1f}, passed {arm.passed_of_ten} of 10 "
        f"(called human in {arm.called_human:,} of {arm.trials:,} trials; {arm.passed} of {arm.clips} clips were "
        "called human by most of their listeners)"
    )


def describe_screening(analysis: Analysis) -> list[str]:
    """Describe which listeners and trials were excluded, and the results of the checks."""
    screened = analysis.screened
    lines = [f"Listener {name} is excluded: {reason}." for name, reason in screened.excluded_listeners.items()]
    lines += [f"{counted(times, 'trial')} excluded: {why}." for why, times in sorted(screened.excluded_trials.items())]
    for (times, total), what in (
        (screened.anchors, "negative anchors were called human"),
        (screened.repeats, "repeats were answered as before"),
    ):
        lines += [f"{times} of {total} {what}."] if total else []
    return lines or ["No listener and no trial is excluded."]


def describe_method(analysis: Analysis) -> list[str]:
    """Describe the design of the study and its analysis, one paragraph each."""
    study, model = analysis.study, analysis.model
    designs = {
        "paper": "The paper's design: ten raters hear twenty clips, ten human and ten generated.",
        "full": "Single clips, human or computer, with four levels of confidence; with anchors, a repeat and checks.",
    }
    lines = [
        designs.get(study.preset, study.preset),
        "Mixed model: probit with crossed random intercepts of listeners and clips, by Laplace's approximation; the "
        f"standard deviation of listeners is {model.sd_listener:.2f}, that of clips {model.sd_clip:.2f}.",
    ]
    accepted = study.checks.get("accepted")
    if isinstance(accepted, list) and accepted:
        lines.append(
            f"The author allowed arms to differ in {', '.join(map(str, accepted))}, by which they may be distinguished."
        )
    return lines


def percent(interval: Interval) -> str:
    """Format a share and its bounds.

    Examples:
        >>> percent(Interval(0.4, 0.2, 0.6))
        '40 % (20 to 60 %)'
    """
    value, low, high = (100 * bound for bound in (interval.value, interval.low, interval.high))
    return f"{value:.0f} % ({low:.0f} to {high:.0f} %)".replace("-", "−")


def number(interval: Interval) -> str:
    """Format a value and its bounds; an undefined value is a dash."""
    if math.isnan(interval.value):
        return "–"
    return f"{decimal(interval.value)} ({decimal(interval.low)} to {decimal(interval.high)})"


def decimal(value: float) -> str:
    """Format a value with two decimals; an undefined value is a dash."""
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def p_text(p: float) -> str:
    """Format a p-value."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
