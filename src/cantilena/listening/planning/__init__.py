"""Plan a study: power analysis and rehearsal with simulated listeners."""
