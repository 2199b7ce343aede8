"""The containers that photographs come in: one module each for reading and writing, and the metadata they share."""
