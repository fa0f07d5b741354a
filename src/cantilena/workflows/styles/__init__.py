"""Find styles in a corpus, and probe what models know of them."""
