"""What operators touch: one YAML file and EXTPROC_* variables, read once into frozen values."""

from extproc.config.loading import load_settings
from extproc.config.settings import Settings

__all__ = ["Settings", "load_settings"]
