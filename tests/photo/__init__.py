"""Tests of photochrom.photo."""
