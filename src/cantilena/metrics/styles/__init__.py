"""Metrics of styles: clusters of melodies, their names, classification accuracy."""
