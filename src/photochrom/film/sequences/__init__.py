"""Reads and writes image sequences (films of numbered files) in parallel, and keeps the headers of the files."""
