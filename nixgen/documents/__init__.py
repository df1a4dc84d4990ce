"""Read the JSON documents that people write, with line numbers for errors."""
