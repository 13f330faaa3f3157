"""nbgrader's settings for this course; `tito` reads them too, and every stock nbgrader command works in this folder.

There is no exchange: hand-ins come with `tito collect`, so `nbgrader list`, `collect` and `release_assignment`
have nothing to look at. `tito report` lists who handed in what.
"""

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.course_id = "tinytorch"

c.ClearSolutions.begin_solution_delimeter = "### BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "### END SOLUTION"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your code here")'}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"

c.ClearHiddenTests.begin_test_delimeter = "### BEGIN HIDDEN TESTS"
c.ClearHiddenTests.end_test_delimeter = "### END HIDDEN TESTS"

c.Execute.timeout = 30  # seconds a cell may take
c.GenerateFeedback.permissions = 644
