"""The measured tables: which way to select wins, on which data.

python -m tests.benchmarks tables --cifar100 DIR --fashion DIR --clothing DIR --write

A cell is one selection, on which classifiers are trained and judged on a clean test set. A finished
cell is kept in the work folder, and never run again: the command may be interrupted at any time,
and goes on where it was. To measure a way anew, remove its folder from `ways` in the work folder.
"""
