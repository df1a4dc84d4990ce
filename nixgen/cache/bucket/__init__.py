"""The S3 bucket: where it is, requests to it, their pace and errors, and what lies in it."""
