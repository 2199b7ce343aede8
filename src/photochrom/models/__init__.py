"""Trained models (ONNX files): finds, describes, downloads and runs them. They are made in ``training/``."""
