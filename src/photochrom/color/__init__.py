"""Colour arithmetic on arrays: colour spaces, integer coding, gamut, thumbnails, upsampling. No files, no model."""
