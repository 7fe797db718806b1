"""What an application may answer beyond the plain dict: awaitables, streams, events."""
