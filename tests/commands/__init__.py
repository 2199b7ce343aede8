"""Tests of photochrom.commands."""
