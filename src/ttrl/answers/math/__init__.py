"""Reads mathematics exactly: from a spelling to tokens, and from tokens to a canonical key."""
