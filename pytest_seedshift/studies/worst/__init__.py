"""How bad a seed can be: a search among vectors that are typical draws of N(0, 1)."""
