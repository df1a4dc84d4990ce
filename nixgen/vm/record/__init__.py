"""The record of a test run: events, the journal of steps, and the report."""
