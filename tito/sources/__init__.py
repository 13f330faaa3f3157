"""From a teaching source to the notebook and the package."""
