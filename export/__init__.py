"""Export a trained generator as a model directory: ONNX, TorchScript and a card, verified against PyTorch."""
