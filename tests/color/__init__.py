"""Tests of photochrom.color."""
