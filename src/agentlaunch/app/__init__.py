"""Use cases: each takes plain input and returns a frozen result."""
