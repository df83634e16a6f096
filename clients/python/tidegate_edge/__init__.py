"""Sends what a device measures to a Tidegate, and loses none of it."""
from .buffer import NEWEST, OLDEST, Buffer

__all__ = ["NEWEST", "OLDEST", "Buffer"]
__version__ = "0.1.0"
