"""How alike free-form answers are: a similarity in [0, 1] where equality says too little."""
