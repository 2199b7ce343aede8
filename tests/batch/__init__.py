"""Tests of photochrom.batch."""
