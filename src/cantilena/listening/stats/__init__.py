"""Statistics of listening tests: mixed model, bootstrap, proportions."""
