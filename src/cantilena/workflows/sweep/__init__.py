"""Search for training parameters."""
