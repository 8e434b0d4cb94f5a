"""Calls that models write as text: where one begins, and what it says."""
