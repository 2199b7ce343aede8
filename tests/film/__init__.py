"""Tests of photochrom.film."""
