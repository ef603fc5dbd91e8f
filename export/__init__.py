"""Turn a trained generator into a model directory: ONNX, TorchScript and a card, checked against each other."""
