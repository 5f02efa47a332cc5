"""nbgrader's configuration: what it does itself, and what is put in its place. Run `nbgrader` in this folder."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the preprocessors that nbgrader imports by name

c = get_config()  # noqa: F821
P = "nbgrader.preprocessors."
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.course_id = "convlab"
c.CourseDirectory.groupshared = False
c.IncludeHeaderFooter.header = ""
c.ClearSolutions.code_stub = {"python": "..."}
c.Autograde.sanitize_preprocessors = [
    "repair.Repair",
    P + "ClearOutput",
    P + "OverwriteKernelspec",
    P + "OverwriteCells",
    P + "CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "isolated.Isolated",  # in the place of Execute: nothing of a learner runs in nbgrader's kernel
    P + "LimitOutput",
    P + "SaveAutoGrades",
    P + "AssignLatePenalties",
    P + "CheckCellMetadata",
]
c.HTMLExporter.filters = {"markdown2html": "safe.markdown"}  # a learner's words run nothing in a browser
c.AssignLatePenalties.plugin_class = "late.TenPercentADay"
