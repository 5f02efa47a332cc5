"""The basic operations of torch that form no sum of products with weights, by reason, each by its full name.

What is in none of these sets, and has no formula in `model`, is named below the table. A name in
`aten`, torch's own namespace, stands for its in-place and out= forms too. Operations that torch itself tags as
element-wise or as a reduction, and views, need no entry.
"""

from __future__ import annotations

COPIES, ADDS = "copies, moves or picks numbers as they are", "adds without weights"
REASONS = {
    "makes numbers, or reserves room for them": """
        arange bartlett_window blackman_window empty empty_like empty_permuted empty_quantized empty_strided eye full
        full_like hamming_window hann_window kaiser_window linspace logspace new_empty new_empty_strided new_full
        new_ones new_zeros ones ones_like range scalar_tensor tril_indices triu_indices zeros zeros_like
        _empty_affine_quantized _empty_per_channel_affine_quantized""",
    "draws numbers at random": """
        bernoulli binomial cauchy exponential geometric log_normal multinomial native_dropout normal normal_functional
        poisson rand rand_like randint randint_like randn randn_like random randperm uniform
        rrelu_with_noise rrelu_with_noise_functional""",
    COPIES: """
        dequantize quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic
        _conj_copy _index_put_impl _local_scalar_dense _neg_view_copy _pack_padded_sequence _pin_memory
        _reshape_alias_copy _reshape_copy _resize_output _stack _to_copy _unsafe_index _unsafe_index_put
        _unsafe_masked_index _unsafe_view alias_copy as_strided as_strided_copy as_strided_scatter block_diag cat
        channel_shuffle col2im complex constant_pad_nd copy detach detach_copy diag_embed diagonal_copy
        diagonal_scatter embedding expand_copy fill flip gather im2col index index_copy index_fill index_put
        index_select lift lift_fresh_copy masked_fill masked_scatter masked_select max_unpool2d max_unpool3d
        narrow_copy nonzero nonzero_static permute_copy pixel_shuffle pixel_unshuffle put reflection_pad1d
        reflection_pad2d reflection_pad3d repeat repeat_interleave replication_pad1d replication_pad2d
        replication_pad3d resize resize_as roll rot90 scatter select_copy select_scatter set slice_copy slice_scatter
        split_copy split_with_sizes_copy squeeze squeeze_copy stack t t_copy take transpose transpose_copy tril triu
        unbind_copy unfold_copy unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_copy view_as_complex_copy
        view_as_real_copy view_copy zero to_padded_tensor
        _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
        upsample_nearest1d upsample_nearest2d upsample_nearest3d""",
    "compares and counts": """
        _nested_tensor_from_mask_left_aligned
        _aminmax _assert_async _assert_scalar _assert_tensor_metadata _cummax_helper _cummin_helper
        _functional_assert_async _functional_assert_scalar _linalg_check_errors _unique _unique2 adaptive_max_pool2d
        adaptive_max_pool3d bucketize cummax cummin eq equal fractional_max_pool2d fractional_max_pool3d ge gt
        histc is_same_size isin kthvalue le lt max_pool2d_with_indices max_pool3d_with_indices median
        mkldnn_max_pool2d mkldnn_max_pool3d mode nanmedian ne quantized_max_pool1d quantized_max_pool2d
        quantized_max_pool3d searchsorted sort topk unique_consecutive unique_dim unique_dim_consecutive""",
    ADDS: """
        _adaptive_avg_pool2d _adaptive_avg_pool3d _unsafe_masked_index_put_accumulate adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d bincount cumsum index_add index_reduce
        mkldnn_adaptive_avg_pool2d scatter_add scatter_reduce trace""",
    "normalises, which the course lists and does not count": """
        _batch_norm_no_update _batch_norm_with_update _batch_norm_with_update_functional _foreach_norm
        _native_batch_norm_legit _native_batch_norm_legit_functional _native_batch_norm_legit_no_training
        _weight_norm_interface batch_norm_elemt batch_norm_gather_stats batch_norm_gather_stats_with_counts
        batch_norm_stats batch_norm_update_stats cudnn_batch_norm embedding_renorm miopen_batch_norm native_batch_norm
        native_group_norm native_layer_norm native_norm quantized_batch_norm""",
    "is a function of each number, or of the numbers of one row": """
        _log_softmax _logcumsumexp _masked_scale _masked_softmax _prelu_kernel _safe_softmax _softmax
        _thnn_fused_gru_cell _thnn_fused_lstm_cell cumprod gelu glu hardswish log_sigmoid_forward log_softmax
        floor_divide fmod logcumsumexp mish polar remainder softmax threshold""",
    "is element-wise, for several tensors at once": """
        _foreach_abs _foreach_acos _foreach_add _foreach_addcdiv _foreach_addcmul _foreach_asin _foreach_atan
        _foreach_ceil _foreach_clamp_max _foreach_clamp_min _foreach_clone _foreach_copy _foreach_cos _foreach_cosh
        _foreach_div _foreach_erf _foreach_erfc _foreach_exp _foreach_expm1 _foreach_floor _foreach_frac
        _foreach_lerp _foreach_lgamma _foreach_log _foreach_log10 _foreach_log1p _foreach_log2 _foreach_max
        _foreach_maximum _foreach_minimum _foreach_mul _foreach_neg _foreach_pow _foreach_powsum
        _foreach_reciprocal _foreach_round _foreach_rsqrt _foreach_sigmoid _foreach_sign _foreach_sin _foreach_sinh
        _foreach_sqrt _foreach_sub _foreach_tan _foreach_tanh _foreach_trunc _foreach_zero""",
    "is a loss, without a product with a weight of the model": """
        _ctc_loss _cudnn_ctc_loss _use_cudnn_ctc_loss _use_miopen_ctc_loss binary_cross_entropy
        binary_cross_entropy_with_logits dist huber_loss miopen_ctc_loss mse_loss multi_margin_loss
        multilabel_margin_loss_forward nll_loss2d_forward nll_loss_forward smooth_l1_loss soft_margin_loss""",
}
WEIGHTED_SUMS = set(  # sums of products for which there is no formula: they are named
    """cosine_similarity grid_sampler grid_sampler_2d grid_sampler_3d linalg_vecdot upsample_bicubic2d
    upsample_bilinear2d upsample_linear1d upsample_trilinear3d _upsample_bicubic2d_aa _upsample_bilinear2d_aa
    _upsample_lanczos2d_aa""".split()
)
ATEN = {name: reason for reason, names in REASONS.items() for name in names.split()}
MOVING, ADDING = set(REASONS[COPIES].split()), set(REASONS[ADDS].split())  # for `products`
QUANTIZED = set("add add_relu cat cat_relu hardswish leaky_relu mul mul_relu relu6 sigmoid tanh".split())
NAMESPACES = {"aten": ATEN, "quantized": QUANTIZED, "prim": None, "profiler": None}  # None: all operations


def has_no_products(namespace: str, name: str) -> bool:
    """Say whether an operation of torch, named without its in-place underscore, is known to have no products.

    >>> has_no_products("aten", "cat"), has_no_products("aten", "upsample_bilinear2d"), has_no_products("my", "cat")
    (True, False, False)
    """
    if namespace not in NAMESPACES:
        return False
    names = NAMESPACES[namespace]
    return names is None or name in names
