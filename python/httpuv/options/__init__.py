"""What servers and static paths are told: options, checked, as the core takes them."""
