"""Values, formulas and statistics: nothing here knows a model, a test runner or, at load, torch."""
