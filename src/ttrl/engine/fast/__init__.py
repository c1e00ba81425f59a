"""Decoding for the Llama family: the same weights as the Hugging Face model, fewer and larger operations."""
