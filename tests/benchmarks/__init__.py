"""Speed and memory, side by side with what one would do without `moderate`.

python -m tests.benchmarks [STAGE ...] [--runs N] [--data DIR]
python -m tests.benchmarks tables --help
python -m tests.benchmarks gpu --help
"""

import os

# As the command line does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
