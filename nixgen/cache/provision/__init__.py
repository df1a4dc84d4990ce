"""The bucket itself: its design, how a real one differs, and the changes."""
