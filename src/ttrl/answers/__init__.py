"""Extracts answers from completions and turns them into keys that decide which answers are equal."""
