"""The coloured film as a file: codecs, segments that survive an interruption, and muxing with all other tracks."""
