"""Shots: where they begin, how each is coloured, and the files that list them."""
