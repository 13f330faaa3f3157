"""tito: builds, releases and grades the TinyTorch course."""

__version__ = "0.1.0"
