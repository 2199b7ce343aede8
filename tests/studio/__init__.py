"""Tests of photochrom.studio."""
