"""Train a PyTorch network: the loop, and what every loop needs around it.

:func:`fit` is the loop of the lessons with a progress bar, validation, early stopping, gradient clipping, a schedule,
mixed precision and a checkpoint from which a killed run goes on. :class:`Batches` feeds it from memory, and
:func:`predict` asks the trained network. Importing this package loads no framework: each name is looked up in its
module when you first use it.

Examples
--------
>>> import torch
>>> from medlearn import training
>>> inputs = torch.linspace(-1, 1, 64).reshape(64, 1)
>>> targets = (inputs[:, 0] > 0).long()
>>> _ = torch.manual_seed(0)
>>> model = torch.nn.Linear(1, 2)
>>> history = training.fit(
...     model, training.Batches(inputs, targets, batch_size=16),
...     optimizer=torch.optim.Adam(model.parameters(), lr=0.1), num_epochs=20, progress=False,
... )
>>> bool(history.train_loss[-1] < history.train_loss[0])
True
>>> training.predict(model, inputs).argmax(dim=1).eq(targets).float().mean().item() > 0.9
True
"""

from medlearn.lazy import load_lazily

__all__ = load_lazily(
    __name__,
    {
        "batches": ("Batches",),
        "history": ("History",),
        "loop": ("fit",),
        "prediction": ("predict",),
    },
)
