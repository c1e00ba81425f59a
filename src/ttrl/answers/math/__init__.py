"""The exact reader of mathematics: a spelling, its tokens, and what they are in canonical form."""
