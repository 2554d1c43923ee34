"""Which ATen operation has which rule of ops.py or products.py; one that is not here is a finding.

Names are those of the schema, without the namespace "aten" and the last "_" of an in-place form. Views need no rule.
"""

from __future__ import annotations

from spikeseq.energy.auditing import ops, products
from spikeseq.energy.auditing.ops import FUNCTION, MATRIX, Rule, Verdict
from spikeseq.energy.auditing.values import Edge


def _all(names: str, rule: Rule | Verdict) -> dict[str, Rule]:
    def always(call: ops.Call) -> Verdict:
        assert isinstance(rule, Verdict)
        return rule

    return dict.fromkeys(names.split(), always if isinstance(rule, Verdict) else rule)


# draws whose result is data: nobody knows it beforehand
RANDOM = "rand rand_like randn randn_like randint randint_like normal uniform bernoulli poisson"

RULES: dict[str, Rule] = {
    # values moved, none computed
    **_all(
        "cat stack clone where masked_fill masked_select masked_scatter constant_pad_nd reflection_pad1d reflection_pad2d "
        "replication_pad1d replication_pad2d index index_select gather take flip roll repeat repeat_interleave scatter "
        "index_copy slice_scatter select_scatter unsafe_split unsafe_split_with_sizes _unsafe_view fill tril triu t "
        "transpose squeeze unsqueeze embedding im2col upsample_nearest1d upsample_nearest2d _pack_padded_sequence",
        ops.MOVE,
    ),
    **_all("_to_copy copy", ops.cast),
    **_all("index_put _index_put_impl", ops.put),
    **_all(
        "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full new_empty_strided zero",
        Verdict(Edge.SHAPE),
    ),
    # sums, choices, logic
    **_all("add sub rsub", ops.add),
    **_all(
        "sum nansum cumsum max min amax amin aminmax maximum minimum fmax fmin argmax argmin topk sort argsort median "
        "mode cummax cummin count_nonzero any all logical_and logical_or logical_xor logical_not bitwise_and bitwise_or "
        "bitwise_xor bitwise_not __and__ __or__ __xor__ nonzero scatter_add max_pool2d_with_indices "
        "max_pool3d_with_indices adaptive_max_pool2d isnan isinf bincount _unique2 " + RANDOM,
        ops.OK,
    ),
    **_all("neg abs relu hardtanh hardshrink nan_to_num", ops.THROUGH),
    **_all("clamp clamp_min clamp_max", ops.clip),
    **_all("floor ceil round trunc sign sgn signbit", ops.STEP),
    **_all("ge gt le lt eq ne heaviside bucketize equal", ops.compare),
    "_local_scalar_dense": ops.escape,
    # products
    "mul": products.mul,
    **_all("div floor_divide", products.div),
    **_all("remainder fmod", products.remainder),
    **_all("pow square", products.power),
    "addcmul": products.addcmul,
    "addcdiv": products.addcdiv,
    "lerp": products.lerp,
    "mean": products.mean,
    **_all("avg_pool2d avg_pool3d", products.avg_pool),
    "leaky_relu": products.slope("negative_slope"),
    "_prelu_kernel": products.slope("weight"),
    "hardsigmoid": lambda call: products.times(call, call.given["self"], 1 / 6),
    **_all("mm bmm", products.matrix("self", "mat2")),
    "mv": products.matrix("self", "vec"),
    **_all("dot vdot", products.matrix("self", "tensor")),
    "addmm": products.matrix("mat1", "mat2"),
    **_all("baddbmm addbmm", products.matrix("batch1", "batch2")),
    "addmv": products.matrix("mat", "vec"),
    **_all("convolution _convolution linear", products.matrix("input", "weight")),
    "mkldnn::_linear_pointwise": products.fused_linear,
    # what no accumulator does
    **_all(
        "lstm gru rnn_tanh rnn_relu mkldnn_rnn_layer _thnn_fused_lstm_cell _thnn_fused_gru_cell _cudnn_rnn "
        "lstm_cell gru_cell quantized_lstm quantized_gru miopen_rnn _lstm_mps",
        ops.found(MATRIX, "fused float recurrence"),
    ),
    **_all(
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention scaled_dot_product_attention "
        "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _native_multi_head_attention "
        "_scaled_dot_product_attention_math _transformer_encoder_layer_fwd",
        ops.found(MATRIX, "fused float attention"),
    ),
    **_all("_trilinear _cdist_forward", ops.found(MATRIX, "products of data with data, fused")),
    **_all(
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm "
        "_batch_norm_impl_index batch_norm_elemt",
        ops.found(FUNCTION, "batch normalisation: fold it into the weights"),
    ),
    **_all(
        "native_layer_norm native_group_norm _fused_rms_norm linalg_vector_norm norm std var std_mean var_mean",
        ops.found(FUNCTION, "statistics of the data: squares, a root, a division"),
    ),
    **_all("prod cumprod", ops.found(FUNCTION, "products of data with data")),
    **_all(
        "sigmoid tanh exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan atan2 sinh "
        "cosh asinh acosh atanh erf erfc erfinv lgamma digamma gelu silu mish elu celu selu softplus hardswish "
        "log_sigmoid_forward logit _softmax _log_softmax _safe_softmax logsumexp sinc xlogy logaddexp hypot",
        ops.found(FUNCTION, "function of the data, no sum of it"),
    ),
}
