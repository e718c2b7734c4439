"""Deep learning for medical images and the ECG: the small library that every lesson shares.

Importing ``medlearn`` loads no framework. It chooses the Keras backend, PyTorch, because Keras fixes its
backend at its first import; :func:`medlearn.runtime.keras_backend_problem` tells when that came too late.

Nothing here is a medical device.

Examples
--------
>>> import medlearn
>>> medlearn.__version__
'0.1.0'
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("KERAS_BACKEND", "torch")
