"""Tune a model on rules of music theory."""
