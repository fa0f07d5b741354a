"""Recurrent and Transformer networks, in torch and in numpy."""
