"""Find the class that a module defines, by the name of the module."""

from importlib import import_module


def only_subclass(module_name: str, base: type) -> type:
    """Return the only subclass of `base` that a module defines.

    Raises:
        ImportError: The module defines none or several.
    """
    module = import_module(module_name)
    classes = (value for value in vars(module).values() if isinstance(value, type))
    own = [c for c in classes if issubclass(c, base) and c.__module__ == module_name]
    if len(own) != 1:
        raise ImportError(
            f"{module_name} defines {len(own)} subclasses of {base.__name__}; it must define one."
        )
    return own[0]
