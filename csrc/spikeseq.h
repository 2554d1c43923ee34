/* spikeseq runtime: a spiking network, element by element, in C11. No dependency, no allocation, no global state.
 *
 * Layers (docs/equations.md; node (n, t): element n of the sequence, time step t of T), spikes h_t:
 *
 *     I_t = W x + b + U h_t[n-1]            first layer; above: W h_t[n] of the layer below instead of W x
 *
 *     grid: the spiking LSTM that equals the quantised one
 *         A  += I_t                         membrane; 0 before t = 1
 *         i, f, o = Q_T(A_k / (t V_k) + 1/2);   g = clip(A_g / t, -gam, gam)
 *         c_t = f c_t + i g;   y = o clip(c_t, -1, 1);   h_t = clip(R(t y) - E, -B, B);   E += h_t
 *         Q_T(u) = clip(floor(T u + shift), 0, T) / T;   R(u) = sign(u) floor(|u| + shift)
 *         a replica whose t is no power of two keeps c_t and repeats the last y
 *     streams: gates are IF or LIF neurons, membranes v and m are 0 before t = 1
 *         v_k = leak_k v_k + I_k + V_k / 2 + d_k;   s_k = [v_k >= V_k];   v_k -= V_k s_k        k = i, f, o
 *         g = clip(I_g, -gam, gam);   c_t = s_f c_t + s_i g
 *         m += s_o clip(c_t, -1, 1);   h_t = clip(R(m), -1, 1);   m -= h_t
 *     LIF: no U, G = H instead of 4H columns; the membrane v is carried from element to element
 *         v = leak v + I_t;   h_t = [v >= V];   v -= V h_t, or v = 0 where h_t = 1 (reset to zero)
 *     levels: gated currents, G = 2H columns, one node an element, which sends a packet of k spikes, |k| <= T; U may be missing
 *         I = W x + b + U k[n-1] / T;   above: W k[n] / T of the layer below
 *         z = Q_T(I_z / V + 1/2);   c = clip(I_c, low gam, gam);   s = (1 - z) c + z s
 *         e = e + s;   k = R(T clip(e, low, 1));   e -= k / T        low: -1 where is_signed, else 0; R with shift 1/2
 *     gated, leaky: currents with multi-bit outputs y, one node an element; products with y, of its non-zeros
 *         I = W x + b + U y[n-1];   above: W y[n] of the layer below; leaky: no U, G = H columns
 *         gated: z = 1 / (1 + exp(-I_z));   s = (1 - z) max(I_c, 0) + z s        leaky: s = I + leak s
 *         e = e + s;   k = Q(code_scale clip(e / M, low, 1)), 0 where |k| <= code_dead;   y = M k / code_scale;   e -= y
 *         Q: towards 0, or to the nearest
 *
 * Output of an element: sum_t h_t / T (levels: k / T; gated, leaky: y), or the readout of it: W_out sum_t h_t / T + b_out, or
 * the mean or sum of these over the elements so far; of y the readout of the mean or sum.
 *
 * The input x of the first layer, features j:
 *     direct  W x; a model whose inputs have all been -1, 0 or 1 so far adds rows instead
 *     int8    W' k, k_j = clip(R(x_j / step_j), -127, 127), W' = step W rounded to 8 bits
 *     delta   a running sum of W' (k[n] - k[n-1]), W' = step W: what does not change costs nothing
 *     sigma-delta  W y_in; gated, leaky: x in place of s in the code of the outputs and its rounding, signed, with a range and
 *              levels of its own, none sent as 0
 *
 * A spike adds one row of weights, so matrices are stored by input: [in][G], G = 4H in the gate order i, f, g, o (levels, gated: z, c). The
 * model is const and may lie in flash or be shared by threads; a stream is the caller's and belongs to one thread at a time.
 * Compile with -ffp-contract=off (the default of gcc -std=c11) for results that do not depend on the machine.
 */
#ifndef SPIKESEQ_H
#define SPIKESEQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(SPIKESEQ_SHARED)
#define SPIKESEQ_API __declspec(dllexport)
#elif defined(__GNUC__)
#define SPIKESEQ_API __attribute__((visibility("default")))
#else
#define SPIKESEQ_API
#endif

/* changes when a struct or a function below changes: a loader compares it */
#define SPIKESEQ_ABI 5u

typedef enum {
    SPIKESEQ_OK = 0,
    SPIKESEQ_NULL = 1,       /* a pointer that must be there is NULL */
    SPIKESEQ_BAD_MODEL = 2,  /* sizes, T, shift, an enum or a packet out of range, or layers that do not fit */
    SPIKESEQ_BAD_WEIGHT = 3, /* a weight not in [-1e30, 1e30] or NaN, a threshold or step not in (0, 1e30], .. */
    SPIKESEQ_BAD_SIZE = 4,   /* a length that is not the model's */
    SPIKESEQ_BAD_BUFFER = 5, /* buffer too small, or its address no multiple of 8 */
    SPIKESEQ_NOT_FINITE = 6, /* x, or W x + b, is NaN or infinite: that element was not taken */
} spikeseq_status;

typedef enum { SPIKESEQ_POOL_LAST = 0, SPIKESEQ_POOL_MEAN = 1, SPIKESEQ_POOL_SUM = 2 } spikeseq_pooling;
typedef enum { SPIKESEQ_GRID = 0, SPIKESEQ_STREAMS = 1, SPIKESEQ_LIF = 2, SPIKESEQ_LEVELS = 3, SPIKESEQ_GATED = 4, SPIKESEQ_LEAKY = 5 } spikeseq_kind;
typedef enum { SPIKESEQ_SUBTRACT = 0, SPIKESEQ_TO_ZERO = 1 } spikeseq_reset_rule;
typedef enum { SPIKESEQ_DIRECT = 0, SPIKESEQ_INT8 = 1, SPIKESEQ_DELTA = 2, SPIKESEQ_SIGMA_DELTA = 3 } spikeseq_input_code;

/* one layer, I inputs, H units, G = 4H, (levels, gated) 2H or (LIF, leaky) H; what a kind or code does not need is NULL */
typedef struct {
    uint32_t input_size;         /* 1 .. 2^20, of int8 rows here 2^17; above the first layer: H of the layer below */
    uint32_t hidden_size;        /* 1 .. 2^16 */
    uint32_t leak_products, leak_additions; /* for the counters: of leak v + I of all units; streams: beside the addition of I */
    const float *input_rows;     /* [I][G]; W' where the input is coded; levels above the first layer: W / T */
    const float *recurrent_rows; /* [H][G]; levels: U / T, or NULL; gated: or NULL */
    const float *bias;           /* [G], or NULL */
    const float *threshold;      /* [3][H] V of i, f, o; LIF and levels [H] */
    const float *clip;           /* [H] gam; levels: up to 1 */
    const float *leak;           /* [3][H] streams of LIF gates, [H] LIF, in [0, 1]; NULL: 1; [H] leaky, any */
    const float *offset;         /* [3][H] streams: d */
    const float *input_step;     /* [I] first layer, coded input */
    const float *reach;          /* [1] gated, leaky: M */
    const float *input_reach;    /* [1] first layer, sigma-delta input: its M */
    const int8_t *input_rows_int8, *recurrent_rows_int8; /* gated, leaky: in place of rows, integers .. */
    const float *input_unit, *recurrent_unit;            /* [G] .. of this unit; all layers and the readout, or none */
} spikeseq_layer;

/* The same with int8 weights and int32 sums: after the input product only additions, comparisons and shifts.
 * A weight w of channel j (one of G) is the integer w 2^s_j, membranes are in units of 2^-s_j (of neurons 2^-(s_j + e_j)),
 * c, y, m and gam of 2^-16. */
typedef struct {
    uint32_t input_size, hidden_size, leak_products, leak_additions;
    const int8_t *input_rows;     /* [I][G] first layer: w 2^r_j with a scale of its own; above: w 2^s_j */
    const int8_t *recurrent_rows; /* [H][G] w 2^s_j; levels: or NULL, w as for float32 */
    const float *input_scale;     /* [G] first layer, direct: 2^(s_j - r_j) */
    const int8_t *input_shift;    /* [G] first layer, coded: s_j - r_j, in -30 .. 24 */
    const int32_t *bias;          /* [G] b 2^s_j, or NULL */
    const int32_t *levels;        /* [T][3][H] grid, of i, f, o; [T][H] levels: ceil(V (k - shift - T / 2) 2^s_j), k = 1 .. T */
    const int32_t *clip;          /* [H] gam 2^16, in 1 .. 2^25; levels: .. 2^16 */
    const uint8_t *candidate;     /* [H] 16 - s_j of g or c, in 4 .. 24 */
    const int32_t *threshold;     /* [3][H] streams, [H] LIF: V in units of the neuron, in 1 .. 2^28 */
    const int32_t *offset;        /* [3][H] streams: V / 2 + d in the same units, |.| <= 2^28 */
    const uint8_t *extra;         /* [3][H] or [H]: e_j, bits of a neuron below those of the sums, 0 .. 12 */
    const uint32_t *leak;         /* [3][H] or [H] leak 2^16, 0 .. 2^16, streams: a multiple of 2^8; NULL: 1 */
    const float *input_step;      /* [I] first layer, coded input */
} spikeseq_layer_int8;

typedef struct {
    uint32_t kind;                /* spikeseq_kind of every layer */
    uint32_t input_code;          /* spikeseq_input_code of the first layer */
    uint32_t time_steps;          /* T: 1, 2, 4, 8 or 16 */
    uint32_t max_packet;          /* B of a grid; 0: packets as large as they come */
    float shift;                  /* 1/2 or 0; levels: of z */
    uint32_t num_layers;          /* 1 .. 64 */
    const spikeseq_layer *layers; /* [num_layers]; NULL for int8 */
    uint32_t reset;               /* spikeseq_reset_rule of LIF */
    uint32_t is_signed;           /* levels, gated, leaky: 1 if what is sent may be negative, else 0 */
    float code_scale;             /* gated, leaky: levels from 0 to M, which makes |k| at most 127 */
    float input_scale;            /* .. the same of a sigma-delta input */
    uint32_t code_dead;           /* .. of which so many next to 0 are sent as 0 */
    uint32_t code_nearest;        /* .. 1: to the nearest, halves away from 0; 0: towards 0 */
    uint32_t pooling;             /* spikeseq_pooling of the readout */
    uint32_t outputs;             /* O of the readout, 1 .. 2^16; 0: none, the output is the last layer's */
    const float *readout_rows;    /* [H][O] */
    const float *readout_bias;    /* [O], or NULL */
    const spikeseq_layer_int8 *layers_int8; /* [num_layers]; NULL for float32 */
    const int8_t *readout_int8;             /* [H][O] instead of readout_rows */
    const float *readout_scale;             /* [O] their power of two; gated, leaky: their unit */
} spikeseq_model;

/* Operations done, by the rules of spikeseq.energy. Element-wise and 8-bit products are among the macs. A first layer
 * with direct input counts the rows it adds as long as all inputs have been -1, 0 or 1; with the first other one it
 * becomes a layer that multiplies, and counts so for all elements. */
typedef struct {
    uint64_t elements, macs, elementwise, int8_macs, acs, gated_adds, neuron_updates, comparisons, spikes;
} spikeseq_counters;

/* what one sequence carries, and the room to compute in; every pointer leads into the caller's buffer */
typedef struct {
    const spikeseq_model *model;
    spikeseq_counters *counters; /* [num_layers], then the readout's */
    double *sum;                 /* [O] outputs so far, for pooling mean or sum; gated, leaky, behind pooling: [H] y so far */
    uint64_t elements;           /* since the reset */
    uint64_t input_spikes;       /* sum |x| of the inputs so far, none of which was anything but -1, 0 or 1 */
    uint32_t analog;             /* 1 once one was */
    float *c;                    /* by layer [T][H], LIF: v [H], levels, gated, leaky: s, e [2][H]; NULL for int8 */
    int32_t *c_int8;             /* the same in units of 2^-16, of a LIF layer its own; NULL for float32 */
    int8_t *h;                   /* by layer [T][H] spikes of the last element, levels, gated, leaky: k [H] */
    int8_t *k;                   /* [I] coded input of the last element */
    double *held;                /* [G] delta: W' k, in 64 bits because it is never formed anew */
    int32_t *held_int8;          /* the same in units of 2^-r_j */
    float *x;                    /* [I] int8-coded input as float32; sigma-delta: what is still to be sent */
    float *membrane, *drive;     /* [G] of the widest layer */
    float *neurons;              /* [2][H] grid: E, y; [4][H] streams: v of i, f, o, and m */
    float *total;                /* [max(O, H)] */
    int8_t *packets;             /* [max(H, I)] */
    uint32_t *list;              /* [2 max(H, I)] addresses of spikes */
    int32_t *membrane_int8, *drive_int8, *sums; /* int8: [G], [G], [O]; gated, leaky: scratch [max(G, O)], -, - */
    int32_t *neurons_int8;       /* int8: [3][H] grid: E, T y, t T y; [4][H] streams */
    uint16_t *scratch;           /* int8: sums of 16 bits */
    void *shared;                /* [G] T > 1: sums that two time steps have in common, float or int32 */
    int8_t *rest;                /* [4][max(H)] T > 1: their other spikes */
} spikeseq_stream;

SPIKESEQ_API uint32_t spikeseq_abi(void);
SPIKESEQ_API const char *spikeseq_message(spikeseq_status status);

/* Check a model once, every weight of it: OK, NULL, BAD_MODEL or BAD_WEIGHT. The functions below trust it. */
SPIKESEQ_API spikeseq_status spikeseq_check(const spikeseq_model *model);

/* Bytes of a stream's buffer. */
SPIKESEQ_API spikeseq_status spikeseq_stream_size(const spikeseq_model *model, size_t *bytes);

/* Lay a stream out in a buffer (address a multiple of 8, of 64 for speed), reset it, counters 0. */
SPIKESEQ_API spikeseq_status spikeseq_stream_init(const spikeseq_model *model, void *buffer, size_t bytes,
                                                  spikeseq_stream *stream);

/* From now on the first layer multiplies, as if an input had been other than -1, 0 and 1. Nothing changes but counters. */
SPIKESEQ_API spikeseq_status spikeseq_multiply(spikeseq_stream *stream);

/* State as before the first element; counters stay. */
SPIKESEQ_API spikeseq_status spikeseq_reset(spikeseq_stream *stream);

/* One element: x [I] -> y [O], or [H] without a readout: logits of this element (last), or their mean or sum so far.
 * y NULL with y_len 0: no output is formed. */
SPIKESEQ_API spikeseq_status spikeseq_step(spikeseq_stream *stream, const float *x, size_t x_len, float *y,
                                           size_t y_len);

/* A chunk of a sequence: x [elements][I] -> y [elements][H] without a readout, else y [O] behind the last element.
 * Equal to as many steps; a readout with pooling last runs once. Stops at the first element that fails, the ones before
 * it have been taken: stream->elements tells how many. */
SPIKESEQ_API spikeseq_status spikeseq_sequence(spikeseq_stream *stream, const float *x, size_t x_len, float *y,
                                               size_t y_len);

#ifdef __cplusplus
}
#endif
#endif
