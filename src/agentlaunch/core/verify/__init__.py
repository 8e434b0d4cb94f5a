"""The battery that tells whether a model drives a coding agent: cases, judges without a model, and the score."""
