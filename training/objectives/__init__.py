"""What generators and discriminators minimise: losses, penalties, and distances between feature moments."""
