"""Scores, sound, and files to download."""
