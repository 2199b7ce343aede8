"""ONNX models: finding, describing and downloading the files, and the engines that run them."""
