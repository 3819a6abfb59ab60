"""Charts: scores, classes, feature map and accuracies as pictures."""
