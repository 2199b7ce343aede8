"""Finds, describes, downloads and runs trained models, which are ONNX files exported by ``training/``."""
