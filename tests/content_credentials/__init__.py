"""Tests of photochrom.content_credentials."""
