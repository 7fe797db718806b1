"""What a command is told: options, files of settings, the environment."""
