"""What a student does in a kit: start a module, check it, see how far everything is."""
