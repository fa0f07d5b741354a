"""What routes call: composing, models, jobs, history."""
