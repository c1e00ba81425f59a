"""Measures how similar free-form answers are, in [0, 1], where equality says too little."""
