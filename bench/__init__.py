"""Benchmarks: ratios of two things measured in turn on one machine. Never a test."""
