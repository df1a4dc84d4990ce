"""The S3 bucket of a cache: its address, requests, their pace and errors, and its content."""
