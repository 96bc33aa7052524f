"""What heals a model that breaks under shifts: remedies, tried one by one, and a recommendation."""
