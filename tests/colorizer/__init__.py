"""Tests of photochrom.colorizer."""
