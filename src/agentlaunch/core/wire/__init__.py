"""Wire APIs. Each is four pure pieces against `core.ir`; `base.WIRES` is their table."""
