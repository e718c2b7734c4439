"""Load a package's names from its modules when they are first used, so that importing the package loads nothing."""

import sys
from importlib import import_module
from types import ModuleType


def load_lazily(package, modules):
    """Let a package find each of its public names in the module that has it, on first use.

    Parameters
    ----------
    package : str
        The ``__name__`` of the package that calls.
    modules : dict of str to tuple of str
        The public names of each module.

    Returns
    -------
    list of str
        All the names, sorted: the package's ``__all__``.

    Raises
    ------
    ValueError
        If two modules offer the same name.

    Examples
    --------
    >>> from medlearn import metrics  # calls load_lazily(__name__, {"bootstrap": ("bootstrap",), ...})
    >>> callable(metrics.bootstrap)  # the function, though a module has the same name
    True
    """
    home = {name: module for module, names in modules.items() for name in names}
    if len(home) < sum(map(len, modules.values())):
        raise ValueError(f"{package}: two modules offer the same name; each name has one home.")

    class LazyPackage(ModuleType):
        def __getattr__(self, name):
            if name not in home:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            value = getattr(import_module(f"{package}.{home[name]}"), name)
            super().__setattr__(name, value)
            return value

        def __setattr__(self, name, value):
            if not (name in home and isinstance(value, ModuleType)):  # a module must not hide its own function
                super().__setattr__(name, value)

        def __dir__(self):
            return sorted({*vars(self), *home})

    sys.modules[package].__class__ = LazyPackage
    return sorted(home)
