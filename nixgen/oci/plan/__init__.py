"""Images as values: image.json, and how closures become layers."""
