"""Analyse the answers to a study."""
