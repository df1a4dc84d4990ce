"""The run of a test: its machines, its script and its result."""
