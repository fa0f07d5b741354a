"""N-gram models, and their interpolation with a network."""
