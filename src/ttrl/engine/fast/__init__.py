"""Fast decoding for the Llama family: the Hugging Face model's weights, fewer and larger operations."""
