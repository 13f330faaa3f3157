"""Are the tests of a page strict enough? Answers are changed a little, and the graded tests should notice."""
