"""Scores that come from the parent: the student's code runs in a box, the tests outside it, a pipe between them."""
