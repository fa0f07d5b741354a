"""The paper's experiment, end to end."""
