"""Who runs the callbacks, and when."""
