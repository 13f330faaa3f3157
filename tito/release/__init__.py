"""What leaves the house: notebooks without answers, the student kit, and the search for leaks."""
