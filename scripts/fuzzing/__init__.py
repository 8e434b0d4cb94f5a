"""What scripts/fuzz.py is made of: mutations, streams, requests, the oracles that judge them, and the reproducer."""
