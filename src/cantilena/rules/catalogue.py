"""The rule sets by name."""

from __future__ import annotations

from cantilena.rules.autocorrelation import rl_tuner_autocorrelation
from cantilena.rules.cadence import cantilena_cadence
from cantilena.rules.climax import cantilena_climax
from cantilena.rules.contour import rl_tuner_leap
from cantilena.rules.contour_part import cantilena_motion, cantilena_range
from cantilena.rules.durations import cantilena_density, cantilena_rests, cantilena_rhythm
from cantilena.rules.extremes import rl_tuner_extremes
from cantilena.rules.intervals import rl_tuner_intervals
from cantilena.rules.leap_recovery import cantilena_leap_recovery
from cantilena.rules.motifs import rl_tuner_motif, rl_tuner_repeated_motif
from cantilena.rules.opening import cantilena_opening
from cantilena.rules.phrases import cantilena_breathing, cantilena_phrases
from cantilena.rules.raised_degrees import cantilena_key
from cantilena.rules.repeated_strikes import cantilena_repetition
from cantilena.rules.repetition import paper_repetition, rl_tuner_repetition
from cantilena.rules.returning_motifs import cantilena_motif, cantilena_motif_return, cantilena_motif_variety
from cantilena.rules.rhythm import cantilena_meter, cantilena_syncopation
from cantilena.rules.rule_set import RuleSet, RuleSets
from cantilena.rules.tonality import paper_key, rl_tuner_key
from cantilena.rules.tonic import paper_tonic, rl_tuner_tonic

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
