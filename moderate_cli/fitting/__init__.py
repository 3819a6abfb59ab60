"""Train a network on a dataset, for features of its own.

`plan.py` chooses the network and its training, `learning.py` trains it by folds, `dynamics.py`
records how it learns each image, and `lifecycle.py` keeps it in the store: it is found; or it is
trained, continued and written. `comparing.py` compares it with the default features.
"""

from moderate_cli.fitting.options import FitOptions

__all__ = ["FitOptions"]
