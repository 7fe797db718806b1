"""Applications of each interface, as the core calls them."""
