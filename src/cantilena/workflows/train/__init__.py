"""Train a model on a corpus."""
