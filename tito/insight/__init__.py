"""What a graded class did: which items were hard, which beliefs occurred, whose answers are alike."""
