"""Files of weights: what lies on this machine, and how more of them are fetched whole."""
