"""The commands as functions with the same names and options: one module per command."""
