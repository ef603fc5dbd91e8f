"""The infrastructure of training: devices, processes, checkpoints, run directories, progress and logging."""
