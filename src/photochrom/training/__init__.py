"""Training colorizers: the only part of Photochrom that needs PyTorch."""
