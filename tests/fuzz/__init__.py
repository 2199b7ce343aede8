"""Mutated photographs and films for every reader: ``python -m tests.fuzz --help``."""
