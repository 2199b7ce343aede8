"""Shots of a film: detection, options for single shots, and files that list them."""
