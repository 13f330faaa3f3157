"""Random programs, run here and in PyTorch: `python -m tests.random_programs graphs --cases 20000`."""
