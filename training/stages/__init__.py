"""Training: stages."""
