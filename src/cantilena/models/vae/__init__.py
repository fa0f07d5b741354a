"""Variational autoencoders of melodies."""
