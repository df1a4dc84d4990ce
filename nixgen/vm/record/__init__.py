"""What a test run tells: events, the journal and reports."""
