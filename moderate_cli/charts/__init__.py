"""Charts: pictures of scores and accuracies."""
