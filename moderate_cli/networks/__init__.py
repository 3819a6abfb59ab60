"""Networks: a name to a network that computes features."""
