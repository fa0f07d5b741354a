"""The rule sets by name."""

from __future__ import annotations

from cantilena.rules.contour import (
    cantilena_climax,
    cantilena_leap_recovery,
    cantilena_motion,
    cantilena_range,
    rl_tuner_extremes,
    rl_tuner_intervals,
    rl_tuner_leap,
)
from cantilena.rules.grid import cantilena_density, cantilena_rests, cantilena_rhythm
from cantilena.rules.motifs import (
    cantilena_motif,
    cantilena_motif_return,
    cantilena_motif_variety,
    rl_tuner_motif,
    rl_tuner_repeated_motif,
)
from cantilena.rules.repetition import (
    cantilena_repetition,
    paper_repetition,
    rl_tuner_autocorrelation,
    rl_tuner_repetition,
)
from cantilena.rules.rhythm import cantilena_breathing, cantilena_meter, cantilena_phrases, cantilena_syncopation
from cantilena.rules.rule import RuleSet, RuleSets
from cantilena.rules.tonality import (
    cantilena_cadence,
    cantilena_key,
    cantilena_opening,
    paper_key,
    paper_tonic,
    rl_tuner_key,
    rl_tuner_tonic,
)

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
