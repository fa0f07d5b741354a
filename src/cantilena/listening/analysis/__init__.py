"""Analyse answers, and report."""
