"""Speed and memory, side by side with what one would do without `moderate`.

python -m tests.benchmarks [STAGE ...] [--runs N] [--data DIR]
python -m tests.benchmarks tables --help
"""
