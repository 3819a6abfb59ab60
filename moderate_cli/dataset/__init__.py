"""Dataset: images and their classes, listed from a folder, tar files or a URL."""

from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.notices import Notice
from moderate_cli.dataset.scanning import scan
from moderate_cli.dataset.sentences import Sentence, sentences

__all__ = ["FLAT", "IMAGE_EXTENSIONS", "Dataset", "Notice", "Sentence", "scan", "sentences"]
