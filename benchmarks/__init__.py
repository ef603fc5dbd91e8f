"""Benchmarks against what users would use instead, both measured in the same run. Use an otherwise idle machine."""
