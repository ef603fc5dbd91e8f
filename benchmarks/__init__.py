"""Ratios against what a user would pick instead, measured in one run. Run them on a machine with nothing else to do."""
