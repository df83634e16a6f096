"""Sends what a device measures to a Tidegate, and loses none of it. See README.md."""
from .buffer import NEWEST, OLDEST, Buffer
from .edge import Edge, now

__all__ = ["NEWEST", "OLDEST", "Buffer", "Edge", "now"]
__version__ = "0.1.0"
