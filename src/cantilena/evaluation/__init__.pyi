from .rule_statistics import RL_TUNER_METRICS as RL_TUNER_METRICS
from .rule_statistics import RuleCounts as RuleCounts
from .rule_statistics import paper_counts as paper_counts
from .rule_statistics import paper_statistics as paper_statistics
from .rule_statistics import rl_tuner_counts as rl_tuner_counts
from .rule_statistics import rl_tuner_statistics as rl_tuner_statistics
