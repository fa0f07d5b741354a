"""Where the rules are printed, and whose numbers they carry."""

RL_TUNER = (
    "N. Jaques, S. Gu, R. E. Turner, D. Eck, Tuning Recurrent Neural Networks with Reinforcement Learning, "
    "arXiv:1611.02796, the music theory reward; values as in Magenta's RL Tuner at commit 526d3eb"
)
GAULDIN = f"R. Gauldin, A Practical Approach to Eighteenth-Century Counterpoint, 1988, by way of {RL_TUNER}"
PAPER = (
    "H. Qiu, C. Wang, Classic Monophonic Melody Generation with LSTM and Reinforcement Learning, section VIII.E; "
    "it prints no values, these are ours"
)
