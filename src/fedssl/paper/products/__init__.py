"""Tables and figures, one module per kind."""
