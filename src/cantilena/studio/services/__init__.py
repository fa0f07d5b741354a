"""What the routes call: composing, models, verdicts, jobs, history."""
