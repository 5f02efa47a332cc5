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
    metered_conv2d,
    param_count,
    recall_02,
)
from convlab.exercises.lesson_03 import grouped_claims, mac_count, reach, recall_03, receptive_field, wirings
from convlab.exercises.lesson_04 import recall_04, separable_macs, separable_saving, write_ups_04
from convlab.exercises.lesson_05 import kernels_needed, largest_multiplier, merged_kernel, recall_05
from convlab.exercises.lesson_06 import images_per_second, recall_06, tool_numbers, transposed_macs, words
from convlab.exercises.lesson_07 import counting_rules, recall_07, remaining_share, widest_middle
from convlab.exercises.lesson_08 import macs_of_transformer, recall_08, unet_report
from convlab.exercises.lesson_09 import (
    grouped_saving,
    judge_book,
    judge_groups,
    judge_parameters,
    judge_readme,
    judge_shapes,
    judge_steps,
    made_up_claims,
    recall_09,
    verified_macs,
)
from convlab.exercises.lesson_10 import (
    attainable_macs_per_second,
    median_call_seconds,
    recall_10,
    slowdown_per_mac,
)
from convlab.exercises.lesson_11 import recall_11, seeds_needed, standard_error, widest_separable
from convlab.exercises.lesson_12 import design, low_memory_design, recall_12
from convlab.exercises.predict import predict
from convlab.exercises.unknown_name import watch_names as _watch_names

_watch_names()
