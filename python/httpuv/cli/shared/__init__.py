"""What the workers of a command share."""
