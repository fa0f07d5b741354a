"""Harmonising melodies."""
