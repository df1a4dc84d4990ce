"""Answers given before anything is loaded. Only the standard library may be imported here."""
