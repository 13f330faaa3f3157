"""Speed against PyTorch eager on one thread: `python -m benchmarks`.

This file runs before NumPy or PyTorch is imported, which is the only time when their thread counts can be set.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
