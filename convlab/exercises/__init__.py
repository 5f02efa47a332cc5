"""The exercises, one module a lesson: what is right, the mistakes known by name, the hints.

`exercise` says how one answers, `compare` what equal means, `common` holds what several share; `design` measures the
networks of lesson 11, and `attempts` keeps them.
"""
