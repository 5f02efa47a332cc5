"""What each kernel of the environment runs first: below a NameError of a lesson it then says what to do.

It runs among the reader's own names, so it defines none.
"""

try:
    __import__("convlab.exercises.unknown_name", fromlist=["watch_names"]).watch_names()
except ImportError:  # the course is not installed any more
    pass
