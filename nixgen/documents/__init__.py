"""JSON documents that people write or meet, read with line numbers."""
