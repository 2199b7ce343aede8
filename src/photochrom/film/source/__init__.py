"""Examines a source film: opening it safely, its time code and side data, colours, negatives and pulldown."""
