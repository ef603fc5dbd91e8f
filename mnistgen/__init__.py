"""mnistgen: an endless MNIST in a small wheel."""
