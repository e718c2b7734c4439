"""Networks that a later lesson takes from an earlier one. Models know no data: arrays in, arrays out.

Each network's module is loaded when you first use it, so importing this package loads no framework. Keras and PyTorch
twins have the same names and arguments: ``nodule_cnn.seed_cnn`` and ``nodule_cnn_torch.SeedCNN``.

Examples
--------
>>> from medlearn.models import nodule_cnn  # Keras itself is loaded when you build a network
>>> nodule_cnn.seed_cnn(size=256).count_params()
31509121
"""
