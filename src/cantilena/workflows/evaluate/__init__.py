"""Measure melodies beside human ones, and report."""
