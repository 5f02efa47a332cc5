"""Run a learner's cells in a process of its own: one job in, as JSON; one answer a question out, a line of JSON each.

The process knows the arguments of the hidden cases and never what is right: the comparison is made outside. It imports
nothing of convlab. What an assignment may import from there is made here, without the counters.
"""

import json
import os
import resource
import sys
import types

MOST_NUMBERS, MOST_BITS = 10_000, 4_000  # of an answer
STARTS = "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn", "os.system", "subprocess.Popen"
HEAVY = "torch", "convlab", "nbgrader"  # not there while an answer is graded


def output_size(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def output_shape(spec, input_shape):
    sides = zip(input_shape[2:], spec.kernel_size, spec.stride, spec.padding, spec.dilation)
    return (input_shape[0], spec.out_channels, *(output_size(*side) for side in sides))


class ConvSpec(types.SimpleNamespace):
    """The fields of a layer, as convlab's ConvSpec has them, and nothing that counts."""

    def __init__(self, in_channels, out_channels, kernel_size, **fields):
        fields = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True} | fields
        for name in ("stride", "padding", "dilation"):
            fields[name] = pair(fields[name])
        super().__init__(in_channels=in_channels, out_channels=out_channels, kernel_size=pair(kernel_size), **fields)


def pair(value):
    """Return one number for each axis; "same" and "valid" stay as they are."""
    return (value, value) if isinstance(value, int) else value if isinstance(value, str) else tuple(value)


class Anything:
    """What stands for the course's checks: it takes every call, and answers nothing."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return None


class StandIn(types.ModuleType):
    """The names of convlab that an answer may use."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(f"convlab.{name} is not there while an answer is graded: write the count yourself")


class Refused:
    """Keeps out what takes longer to import than an answer may take."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is not there while an answer is graded: use Python and NumPy")


def refuse_children():
    """Return a hook that keeps an answer from starting processes: a limit on their number does not hold for root."""
    starts = {*STARTS, "ctypes.dlsym"}

    def refuse(event, args):
        if event in starts:
            raise PermissionError(f"{event} is not there while an answer is graded")

    return refuse


def limit(job):
    """Set the process's own limits, which it cannot raise again."""
    limits = {"CPU": job["seconds"], "AS": job["bytes"], "FSIZE": 1 << 20, "CORE": 0, "NPROC": 8}
    for what, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))


def compiled(cell):
    """Return the code of a cell; if it does not read as Python, without its lines for IPython, such as %matplotlib."""
    try:
        return compile(cell, "<your cell>", "exec")
    except SyntaxError:
        lines = ("" if line.startswith(("%", "!")) else line for line in cell.splitlines())
        return compile("\n".join(lines), "<your cell>", "exec")


def to_argument(value):
    """Return an argument as the learner's function takes it: a layer, a tuple, a number, a text."""
    if isinstance(value, dict):
        return ConvSpec(**{name: to_argument(part) for name, part in value.items()})
    return tuple(map(to_argument, value)) if isinstance(value, list) else value


def to_json(value, depth=6):
    """Return plain numbers, texts and lists; of anything else only the name of its class."""
    if value is ...:  # the stub's, which is no answer yet
        return None
    if type(value) is int and value.bit_length() > MOST_BITS:
        return {"class": "an integer of more than 1,000 digits"}
    if type(value) in (int, float, bool, str, type(None)):
        return value if type(value) is not str else value[:1000]
    if type(value) in (list, tuple) and depth:
        return [to_json(part, depth - 1) for part in value[:MOST_NUMBERS]]
    if type(value) is ConvSpec and depth:
        return {"layer": {name: to_json(part, 2) for name, part in vars(value).items()}}
    if type(value).__module__ == "numpy" and value.size <= MOST_NUMBERS and depth:
        return to_json(value.tolist(), depth - 1)
    return {"class": type(value).__name__[:60]}


def main():
    job, answers = json.load(sys.stdin), os.fdopen(os.dup(1), "w", encoding="utf-8")
    limit(job)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # what a learner prints goes nowhere
        os.dup2(nowhere, stream)

    def say(**what):
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    stand_in = StandIn("convlab")
    stand_in.ConvSpec, stand_in.output_shape, stand_in.check = ConvSpec, output_shape, Anything()
    sys.modules["convlab"] = stand_in
    sys.addaudithook(refuse_children())
    sys.meta_path.insert(0, Refused())
    space = {"__name__": "__main__"}
    for number, cell in enumerate(job["cells"]):
        say(cell=number)  # whoever reads this knows which cell ended the process
        try:
            exec(compiled(cell), space)
        except BaseException as error:
            say(cell_error=f"{type(error).__name__}: {error}"[:300], begins=cell.strip().partition("\n")[0][:60])
    say(cells="done")
    for ask in job["asks"]:
        if ask["name"] not in space:
            say(error="NameError", text=f"there is no {ask['name']}")
            continue
        try:
            found = space[ask["name"]]
            say(value=to_json(found(*map(to_argument, ask["arguments"])) if "arguments" in ask else found))
        except BaseException as error:
            say(error=type(error).__name__[:60], text=str(error)[:300])
    say(end=True)


if __name__ == "__main__":
    main()
