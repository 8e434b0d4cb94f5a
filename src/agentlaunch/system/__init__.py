"""Seams to the operating system: each a small Protocol with one real class, or a few functions."""
