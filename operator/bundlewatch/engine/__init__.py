"""Ties the rooms together: who is due, what was found, what to write, what to say."""
