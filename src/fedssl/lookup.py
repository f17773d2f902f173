"""Finding the class that a module is there for, by the module's name."""

from importlib import import_module


def only_subclass(module_name: str, base: type) -> type:
    """Return the one subclass of `base` that a module defines; ImportError if it is not one."""
    module = import_module(module_name)
    classes = (value for value in vars(module).values() if isinstance(value, type))
    own = [c for c in classes if issubclass(c, base) and c.__module__ == module_name]
    if len(own) != 1:
        raise ImportError(f"{module_name} has {len(own)} subclasses of {base.__name__}; write one.")
    return own[0]
