"""The single lines that may be public though an answer, a hidden test or a misconception holds them too.

A line gets here only when a public text needs it as it is. Two secret lines in a row are never exempt.
`tests/course/test_real_release.py` fails for a line that is here without need.
"""

IDIOMS = {  # the line: where it is public, and why that gives no answer away
    'with np.errstate(divide="ignore"):': "04, a measurement: how NumPy keeps silent",
    # what misconceptions repeat, for they rewrite a method that stays in the answer
    'with open(path, "wb") as file:': "07, a measurement: how Python writes a file",
    'return g + options["weight_decay"] * p': "06, a given method of the base class",
}
