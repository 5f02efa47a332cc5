"""What the lessons call: `check.output_size(my_output_size)`, `check.output_size.hint(1)`, `check.predict(…)`."""

from convlab.exercises.lesson_00 import filter_multiplications, multiplications
from convlab.exercises.lesson_01 import (
    calls,
    conv2d,
    kernels,
    missing_stride,
    output_size,
    recall_01,
)
from convlab.exercises.lesson_02 import (
    conventions,
    flop_count,
    linear_flops,
    metered_conv2d,
    param_count,
    recall_02,
)
from convlab.exercises.lesson_03 import channel_shuffle, grouped_claims, mac_count, reach, recall_03, wirings
from convlab.exercises.lesson_04 import recall_04, separable_macs, separable_saving, write_ups_04
from convlab.exercises.lesson_05 import kernels_needed, largest_multiplier, merged_kernel, recall_05
from convlab.exercises.lesson_06 import macs_behind, tool_numbers, transposed_macs
from convlab.exercises.lesson_07 import remaining_share, slim_vgg, widest_middle
from convlab.exercises.lesson_08 import grouped_flops, grouped_saving, verified_macs
from convlab.exercises.lesson_09 import attainable_macs_per_second, median_call_seconds, slowdown_per_mac
from convlab.exercises.lesson_10 import seeds_needed, standard_error, widest_separable
from convlab.exercises.lesson_11 import design, tight_design
from convlab.exercises.predict import predict
from convlab.exercises.unknown_name import watch_names as _watch_names

_watch_names()
