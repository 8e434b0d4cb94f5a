"""The local server between the agents and whatever serves the model."""
