"""The rule sets by name."""

from __future__ import annotations

from cantilena.theory.autocorrelation import rl_tuner_autocorrelation
from cantilena.theory.cadence import cantilena_cadence
from cantilena.theory.climax import cantilena_climax
from cantilena.theory.contour import cantilena_motion, cantilena_range
from cantilena.theory.durations import cantilena_density, cantilena_rests, cantilena_rhythm
from cantilena.theory.extremes import rl_tuner_extremes
from cantilena.theory.in_key import paper_key, rl_tuner_key
from cantilena.theory.intervals import rl_tuner_intervals
from cantilena.theory.leap_recovery import cantilena_leap_recovery
from cantilena.theory.leaps import rl_tuner_leap
from cantilena.theory.motifs import rl_tuner_motif, rl_tuner_repeated_motif
from cantilena.theory.opening import cantilena_opening
from cantilena.theory.phrases import cantilena_breathing, cantilena_phrases
from cantilena.theory.pulse import cantilena_meter, cantilena_syncopation
from cantilena.theory.raised_degrees import cantilena_key
from cantilena.theory.repeated_strikes import cantilena_repetition
from cantilena.theory.repetition import paper_repetition, rl_tuner_repetition
from cantilena.theory.returning_motifs import cantilena_motif, cantilena_motif_return, cantilena_motif_variety
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
    RuleSet(
        "cantilena",
        (
            cantilena_key,
            cantilena_opening,
            cantilena_cadence,
            cantilena_repetition,
            cantilena_leap_recovery,
            cantilena_climax,
            cantilena_range,
            cantilena_motion,
            cantilena_meter,
            cantilena_syncopation,
            cantilena_motif_return,
            cantilena_motif,
            cantilena_motif_variety,
            *cantilena_phrases,
            cantilena_breathing,
            cantilena_rhythm,
            cantilena_rests,
            cantilena_density,
        ),
        scale=0.2,
    ),
)
"""`paper`: the paper's three rules. `rl-tuner`: the nine of Magenta's RL Tuner, exactly. `cantilena`: our own."""
