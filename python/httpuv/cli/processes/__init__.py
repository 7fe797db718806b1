"""The process that looks after workers, and the workers."""
