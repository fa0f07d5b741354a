"""The rule sets by name."""

from __future__ import annotations

from cantilena.theory.autocorrelation import rl_tuner_autocorrelation
from cantilena.theory.extremes import rl_tuner_extremes
from cantilena.theory.in_key import paper_key, rl_tuner_key
from cantilena.theory.intervals import rl_tuner_intervals
from cantilena.theory.leaps import rl_tuner_leap
from cantilena.theory.motifs import rl_tuner_motif, rl_tuner_repeated_motif
from cantilena.theory.repetition import paper_repetition, rl_tuner_repetition
from cantilena.theory.rule_set import RuleSet, RuleSets
from cantilena.theory.tonic import paper_tonic, rl_tuner_tonic

RULE_SETS = RuleSets(
    RuleSet("paper", (paper_key, paper_tonic, paper_repetition)),
    RuleSet(
        "rl-tuner",
        (
            rl_tuner_key,
            rl_tuner_tonic,
            rl_tuner_repetition,
            rl_tuner_autocorrelation,
            rl_tuner_motif,
            rl_tuner_repeated_motif,
            rl_tuner_intervals,
            rl_tuner_leap,
            rl_tuner_extremes,
        ),
    ),
)
"""`paper`: the paper's three rules. `rl-tuner`: the nine of Magenta's RL Tuner, exactly."""
