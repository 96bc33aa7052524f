"""How the toy models were made, from icons to weights."""
