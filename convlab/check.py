"""What the lessons call: `check.output_size(my_output_size)`, `check.output_size.hint(1)`, `check.predict(…)`."""

from convlab.exercises.exercise import predict
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
