"""Finds, describes, downloads and runs trained models: ONNX files, whose networks ``training/networks`` defines."""
