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

_OURS = "; the values are ours"
COUNTERPOINT = f"R. Gauldin, A Practical Approach to Eighteenth-Century Counterpoint, 1988{_OURS}"
SIXTEENTH_CENTURY = f"R. Gauldin, A Practical Approach to Sixteenth-Century Counterpoint{_OURS}"
FUX = f"J. J. Fux, Gradus ad Parnassum, 1725, on counterpoint of the first species{_OURS}"
SCHOENBERG = f"A. Schoenberg, Fundamentals of Musical Composition, 1967{_OURS}"
LERDAHL_JACKENDOFF = f"F. Lerdahl, R. Jackendoff, A Generative Theory of Tonal Music, 1983{_OURS}"
HURON = f"D. Huron, Sweet Anticipation: Music and the Psychology of Expectation, 2006{_OURS}"
LONGUET_HIGGINS_LEE = (
    "H. C. Longuet-Higgins, C. S. Lee, The Rhythmic Interpretation of Monophonic Music, Music Perception 1, 1984"
    + _OURS
)
PRACTICE = "no theorist's number: what people write, measured in the built-in corpus (rules/bands.toml)"
SHANNON = f"C. E. Shannon, A Mathematical Theory of Communication, 1948, the entropy of a source{_OURS}"
