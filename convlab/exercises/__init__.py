"""The exercises, one module a lesson: what is right, the mistakes known by name, the hints.

`exercise`, `choices` and `predict` say how one answers, `reply` what comes back, `compare` what equal means, `nearly`
what is right but for its form; `common` holds what several share; `design` measures the
networks of lesson 12, and `attempts` keeps them.
"""
