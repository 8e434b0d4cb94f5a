"""The coding agents: how each is found, installed and pointed at the shim."""
