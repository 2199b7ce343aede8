"""Prepares unusual frames for the network: interlaced fields, frames with borders, negatives, logarithmic scans."""
