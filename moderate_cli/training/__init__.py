"""Parts of the training of a network, for evaluations and for `moderate fit`."""
