"""Deep learning for medical images and the ECG: the small library that every lesson shares.

Importing ``medlearn`` loads no framework. It chooses the Keras backend, PyTorch, because Keras fixes its
backend at its first import. Where that came too late, ``import medlearn`` warns, and
:func:`medlearn.runtime.keras_backend_problem` says how to mend it.

Nothing here is a medical device.

Examples
--------
>>> import medlearn
>>> medlearn.__version__
'0.1.0'
"""

import os
import sys
import warnings

__version__ = "0.1.0"

os.environ.setdefault("KERAS_BACKEND", "torch")

if "keras" in sys.modules:
    from medlearn.runtime import keras_backend_problem

    if problem := keras_backend_problem():
        warnings.warn(problem, stacklevel=2)
    del keras_backend_problem, problem
