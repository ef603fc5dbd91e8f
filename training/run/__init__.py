"""What surrounds training: devices, processes, checkpoints, run directories and what they show."""
