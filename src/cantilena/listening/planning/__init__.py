"""Plan a study: power and rehearsal."""
