"""Photographs: one file from disk to disk, with its metadata and companions."""
