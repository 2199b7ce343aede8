"""Reads and writes each file format of photographs, and the metadata formats that they share."""
