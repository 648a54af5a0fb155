"""selfloop: the parts of a self-consuming training loop, as pure functions over arrays and tables."""

__version__ = "0.1.0"
