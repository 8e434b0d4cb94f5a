"""What `doctor` looks at: one file a family, each gathering facts first and judging them in pure functions."""
