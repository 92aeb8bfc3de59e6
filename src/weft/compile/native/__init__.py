"""The native engine: a graph becomes machine code."""
