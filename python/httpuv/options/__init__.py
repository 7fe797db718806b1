"""The options of servers and static paths: checked, and converted for the core."""
