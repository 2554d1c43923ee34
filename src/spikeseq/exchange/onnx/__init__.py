"""A recorded graph as an ONNX file."""
