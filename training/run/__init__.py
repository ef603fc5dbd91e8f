"""Training: run."""
