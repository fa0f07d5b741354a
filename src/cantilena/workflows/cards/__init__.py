"""Model cards, shipped models and the hub."""
