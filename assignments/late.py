"""Ten percent of what was earned, for each day or part of a day that a submission is late."""

from math import ceil

from nbgrader.plugins import BasePlugin

SECONDS_A_DAY = 24 * 60 * 60


class TenPercentADay(BasePlugin):
    """A late penalty for nbgrader: no more than what was earned."""

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        """Return the points to take away.

        >>> penalty = TenPercentADay().late_submission_penalty
        >>> penalty("ada", 20, 3600), penalty("ada", 20, 0), penalty("ada", 5, 20 * 24 * 3600)
        (2.0, 0.0, 5)
        """
        return min(score, score * 0.1 * ceil(max(total_seconds_late, 0) / SECONDS_A_DAY))
