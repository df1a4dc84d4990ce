"""Images to registries and container engines."""
