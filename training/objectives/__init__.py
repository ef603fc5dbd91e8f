"""Objectives: adversarial losses, penalties, and distances between feature moments."""
