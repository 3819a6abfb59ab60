"""Exporting: what is kept, as lists, tables and folders."""
