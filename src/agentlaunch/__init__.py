"""agentlaunch: one command from a laptop to a working coding agent on a local model."""

__version__ = "0.1.0"
