"""Pure code: no IO, no clock, no randomness, no environment, no logging. Those are passed in."""
