"""From a folder of submissions to grades: collect, normalise, run, record, report."""
