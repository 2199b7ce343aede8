"""Tests of photochrom.training."""
