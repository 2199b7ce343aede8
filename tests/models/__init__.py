"""Tests of photochrom.models."""
