"""What the lessons call: `check.output_size(my_output_size)`, `check.output_size.hint(1)`, `check.predict(…)`."""

from convlab.exercise import predict
from convlab.exercises.lesson_00 import filter_multiplications, multiplications
from convlab.exercises.lesson_01 import conv2d, missing_padding, output_size
from convlab.exercises.lesson_02 import flop_count, linear_flops, param_count
from convlab.exercises.lesson_03 import channel_shuffle, mac_count, weight_mask
from convlab.exercises.lesson_04 import merged_kernel, separable_macs, separable_saving
from convlab.exercises.lesson_05 import macs_behind, tool_numbers, transposed_macs
from convlab.exercises.lesson_06 import remaining_share, slim_vgg, widest_middle
from convlab.exercises.lesson_07 import grouped_flops, grouped_saving, verified_macs
from convlab.exercises.lesson_08 import attainable_macs_per_second, median_call_seconds, slowdown_per_mac
from convlab.exercises.lesson_09 import seeds_needed, standard_error, widest_separable
from convlab.exercises.lesson_10 import design, tight_design

__all__ = [
    "attainable_macs_per_second",
    "channel_shuffle",
    "conv2d",
    "design",
    "filter_multiplications",
    "flop_count",
    "grouped_flops",
    "grouped_saving",
    "linear_flops",
    "mac_count",
    "macs_behind",
    "median_call_seconds",
    "merged_kernel",
    "missing_padding",
    "multiplications",
    "output_size",
    "param_count",
    "predict",
    "remaining_share",
    "seeds_needed",
    "separable_macs",
    "separable_saving",
    "slim_vgg",
    "slowdown_per_mac",
    "standard_error",
    "tight_design",
    "tool_numbers",
    "transposed_macs",
    "verified_macs",
    "weight_mask",
    "widest_middle",
    "widest_separable",
]
