"""The documentation: tables that are made from the code and the results, and sessions."""
