"""Networks that tell a nodule from what looks like one, in Keras. Keras is loaded when you build a network.

The twins in PyTorch are in :mod:`medlearn.models.nodule_cnn_torch`.
"""

import numpy as np

#: The Hounsfield window that becomes 0 to 1: air and lung, vessels, nodules; denser bone is cut off.
LOW_HU, HIGH_HU = -1000.0, 400.0


def to_input(images_hu, *, layout="NHWC"):
    """Turn patches in HU into the float32 input of a network: -1000 HU becomes 0, 400 HU becomes 1.

    Values outside are cut off, and the one channel gets its axis.

    Parameters
    ----------
    images_hu : ndarray of shape (n, height, width)
        CT values in HU, all finite.
    layout : {"NHWC", "NCHW"}, optional
        Where the channel goes: last for Keras, second for PyTorch.

    Returns
    -------
    ndarray of float32, shape (n, height, width, 1) or (n, 1, height, width), in [0, 1]

    Raises
    ------
    ValueError
        If the shape or the layout is another one, or a value is NaN or infinite.

    Examples
    --------
    >>> to_input(np.array([[[-2000.0, -1000.0, -300.0, 400.0]]]), layout="NCHW")
    array([[[[0. , 0. , 0.5, 1. ]]]], dtype=float32)
    """
    if layout not in ("NHWC", "NCHW"):
        raise ValueError(f"layout must be 'NHWC' (Keras) or 'NCHW' (PyTorch), got {layout!r}.")
    images_hu = np.asarray(images_hu)
    if images_hu.ndim != 3:
        raise ValueError(
            f"images_hu must have the shape (n, height, width), got {images_hu.shape}. One patch alone: patch[None]."
            " A channel axis is added here: leave it out."
        )
    bad = images_hu.size - np.count_nonzero(np.isfinite(images_hu))
    if bad:
        raise ValueError(f"images_hu holds {bad} values that are NaN or infinite; fill them first, with -1000 for air.")
    scaled = np.clip((images_hu - LOW_HU) / (HIGH_HU - LOW_HU), 0, 1).astype(np.float32)
    return scaled[..., None] if layout == "NHWC" else scaled[:, None]  # (n, h, w) -> (n, h, w, 1) or (n, 1, h, w)


def seed_cnn(size=256):
    """Build the network that the course begins with: two convolutions, then a dense layer with nearly all weights.

    Parameters
    ----------
    size : int, optional
        Height and width of a patch in pixels, 10 or more.

    Returns
    -------
    keras.Sequential
        Input ``(n, size, size, 1)``, output ``(n, 1)``: the probability of a nodule. Not compiled.

    Raises
    ------
    ValueError
        If nothing would be left of a patch after two convolutions and two poolings.

    Examples
    --------
    >>> seed_cnn(size=64).count_params()
    1624705
    """
    import keras
    from keras import layers

    check_seed_size(size)
    return keras.Sequential(
        [
            layers.Input((size, size, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def pooled_cnn(size=64, *, channels=(16, 32, 64), batch_normalization=False, dropout=0.0):
    """Build a network with few weights: 3x3 convolutions with pooling between them, then the mean of each channel.

    Parameters
    ----------
    size : int, optional
        Height and width of a patch in pixels; no weight depends on it.
    channels : sequence of int, optional
        The channels of each convolution. Between two of them, max pooling halves height and width.
    batch_normalization : bool, optional
        Normalise after each convolution, which then has no bias of its own.
    dropout : float, optional
        Share of the channel means to drop in training, from 0 up to but not including 1.

    Returns
    -------
    keras.Sequential
        Input ``(n, size, size, 1)``, output ``(n, 1)``: the probability of a nodule. Not compiled.

    Raises
    ------
    ValueError
        If there are no channels, the size does not allow the poolings, or the dropout is out of range.

    Examples
    --------
    >>> pooled_cnn(size=64).count_params()
    23361
    """
    import keras
    from keras import layers

    check_pooled(size, channels, dropout)
    network = keras.Sequential([layers.Input((size, size, 1))])
    for index, count in enumerate(channels):
        if index:
            network.add(layers.MaxPooling2D((2, 2)))
        network.add(layers.Conv2D(count, (3, 3), padding="same", use_bias=not batch_normalization))
        if batch_normalization:
            network.add(layers.BatchNormalization())
        network.add(layers.ReLU())
    network.add(layers.GlobalAveragePooling2D())
    network.add(layers.Dropout(dropout))
    network.add(layers.Dense(1, activation="sigmoid"))
    return network


def check_seed_size(size):
    """Refuse a size that the seed network cannot take."""
    if size < 10:  # 10 - 2 = 8, halved 4, - 2 = 2, halved 1
        raise ValueError(f"size must be 10 or more, got {size}: the convolutions and poolings would leave no pixel.")


def check_pooled(size, channels, dropout):
    """Refuse arguments that :func:`pooled_cnn` and its twin cannot take."""
    if not len(channels) or min(channels) < 1:
        raise ValueError(f"channels must be one positive number or more, got {channels!r}; such as (16, 32, 64).")
    smallest = 2 ** (len(channels) - 1)
    if size is not None and size < smallest:
        raise ValueError(f"size must be {smallest} or more for {len(channels)} convolutions, got {size}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 up to but not including 1, got {dropout}.")
