"""Models leave for other frameworks' formats, and come from them: ONNX, NIR, networks of snnTorch and SpikingJelly."""
