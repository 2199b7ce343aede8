"""Photographs to train on: sources, curation, views, batches and cached features."""
