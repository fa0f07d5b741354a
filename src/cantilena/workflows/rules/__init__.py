"""Explain rules and score melodies."""
