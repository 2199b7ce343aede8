"""Arithmetic on pixels: colour spaces, integer coding, gamut, thumbnails and upsampling; numpy and OpenCV, no files."""
