"""Networks: a name -> a network that computes features."""
