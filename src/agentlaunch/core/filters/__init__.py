"""Filters over events and requests between the wires."""
