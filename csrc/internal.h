/* The operators, one per file, and what they share. */
#ifndef SPIKESEQ_INTERNAL_H
#define SPIKESEQ_INTERNAL_H

#include "spikeseq.h"

/* One binary for every CPU: the loader picks the clone that fits. Set by CMakeLists.txt where the compiler can. */
#ifdef SPIKESEQ_CLONES
#define SPIKESEQ_HOT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SPIKESEQ_HOT
#endif

#if defined(__GNUC__)
#define SPIKESEQ_INLINE inline __attribute__((always_inline))
#else
#define SPIKESEQ_INLINE inline
#endif

/* a * b + c rounds twice, as the model does; gcc -std=c11 does so by itself and does not know the pragma */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/* words of 32 bits: sum [width] = constant, or 0 where it is NULL */
void spikeseq_start(void *sum, const void *constant, size_t width);

/* First layer: drive [4H] = W x + b, operations counted. NOT_FINITE: nothing has changed. */
spikeseq_status spikeseq_input(spikeseq_stream *stream, const float *x);

/* drive [width] = bias (or 0) + sum_j x[j] rows[j] */
void spikeseq_input_product(float *restrict drive, const float *restrict rows, const float *restrict bias,
                            const float *restrict x, size_t inputs, size_t width);

/* sum [width] += y[0] rows[0] + .. + y[3] rows[3] */
void spikeseq_four_values(float *restrict sum, const float *const rows[4], size_t width, const float y[4]);

/* k [I] = clip(R(x / step), -127, 127) */
void spikeseq_encode(const float *restrict x, const float *restrict step, int8_t *restrict k, size_t inputs);

/* held [width] += sum_j (now[j] - before[j]) rows[j]. Returns sum_j |now[j] - before[j]|. */
uint64_t spikeseq_delta(double *restrict held, const float *restrict rows, const int8_t *restrict now,
                        const int8_t *restrict before, size_t inputs, size_t width);

/* drive [width] = held + bias (or 0) */
void spikeseq_held_drive(float *restrict drive, const double *restrict held, const float *restrict bias, size_t width);

/* Addresses of the units with k[j] != 0, and of those among them that add or subtract a row at one level of their packet:
 * at level 1, 2, .. a packet of k spikes stands there k times. */
typedef struct {
    const int8_t *k;
    uint32_t *active, *plus, *minus;
    size_t num_active, num_plus, num_minus;
} spikeseq_spikes;

spikeseq_spikes spikeseq_spikes_of(const int8_t *k, size_t inputs, uint32_t *list); /* list [2 inputs] */
int spikeseq_spikes_at(spikeseq_spikes *s, int level); /* 0: nobody sent so many; to be called for 1, 2, .. in turn */

/* sum [width] += sum_j k[j] rows[j], by additions of rows alone; list [2 inputs] is scratch. Returns sum_j |k[j]|. */
uint64_t spikeseq_event_add(float *sum, const float *rows, size_t width, const int8_t *k, size_t inputs, uint32_t *list);

/* a sigma-delta code: M, and levels from 0 to it */
typedef struct {
    float reach, scale;
} spikeseq_code;

/* rows [inputs][width] that multi-bit values meet: floats, or integers times a unit [width] */
typedef struct {
    const float *rows;
    const int8_t *rows8;
    const float *unit;
} spikeseq_rows;

/* sum [width] += step [width] */
void spikeseq_add(float *restrict sum, const float *restrict step, size_t width);

/* gates and cell of node (n, t) of a grid: membrane [4H] -> c [H], y [H] */
void spikeseq_grid_cell(const spikeseq_layer *layer, uint32_t steps, uint32_t t, float shift,
                        const float *restrict membrane, float *restrict c, float *restrict y);

/* its spikes: y [H], emitted [H] -> h [H]. Returns sum |h|. */
uint64_t spikeseq_grid_spikes(uint32_t t, float shift, float limit, size_t hidden, const float *restrict y,
                              float *restrict emitted, int8_t *restrict h);

/* node (n, t) of streams: current [4H], neurons [4][H] -> c [H], h [H]. Returns sum |h|. */
uint64_t spikeseq_streams_node(const spikeseq_layer *layer, float shift, const float *current, float *neurons, float *c,
                               int8_t *h);

/* node n of levels: current [2H] -> state [2][H] s, e; k [H]. Returns sum |k|. */
uint64_t spikeseq_levels_node(const spikeseq_layer *layer, const spikeseq_model *model, const float *current, float *state,
                              int8_t *k);

/* LIF neurons (n, t): current [H] -> v [H], h [H]. Returns the spikes sent. */
uint64_t spikeseq_lif_node(const spikeseq_layer *layer, uint32_t reset, const float *current, float *v, int8_t *h);

/* spikes that come into a layer: its own of the element before, or those of the layer below */
typedef struct {
    const void *rows;     /* [inputs][G] of weights */
    spikeseq_rows values; /* the same for multi-bit outputs */
    const int8_t *k;      /* [nodes][inputs] */
    spikeseq_code code;   /* of multi-bit outputs */
    int8_t *rest;         /* [2][inputs] */
    size_t inputs;
    const int8_t *now[2]; /* [inputs] to be added at t and t + 1 beside stream->shared */
    uint64_t common;      /* how many spikes went into stream->shared */
} spikeseq_source;

/* what the nodes of one element of a layer share; one of the two layers is NULL */
typedef struct {
    spikeseq_stream *stream;
    const spikeseq_layer *layer;
    const spikeseq_layer_int8 *layer8;
    const void *drive; /* [G] constant part of the current, or NULL */
    size_t hidden, width, num_sources;
    spikeseq_source sources[2];
} spikeseq_element;

/* Currents of time step t, to be called for t = 1 .. T in turn: the membrane of a grid grows, else it is set. Returns the
 * spikes that came in. */
uint64_t spikeseq_current(spikeseq_element *e, uint32_t t);

/* one, two [inputs] = common + first, common + second; common: what both send with the same sign. Returns sum |common|. */
uint64_t spikeseq_split(const int8_t *restrict one, const int8_t *restrict two, size_t inputs, int8_t *restrict common,
                        int8_t *restrict first, int8_t *restrict second);

/* all T nodes of one element of layer `number`; below is NULL for the first, whose drive is in the stream */
void spikeseq_layer_element(spikeseq_stream *stream, uint32_t number, const int8_t *below);

/* total [O] = W_out sum_t h_t / T + b_out, or [H] = sum_t h_t / T */
void spikeseq_readout(spikeseq_stream *stream);

/* of a float32 membrane that nothing ever resets */
#define SPIKESEQ_LARGEST_V 1e35f

/* int8 twins of the operators above; limits that keep every sum within 32 bits (check_int8.c) */
enum {
    SPIKESEQ_MOST_INPUTS = 256, /* whose products with 16-bit values are summed in 32 bits at a time */
    SPIKESEQ_TILE = 4096, /* columns that are summed in 16 bits at a time */
    SPIKESEQ_FRACTION = 16, /* bits of c, y, m and gam behind the point */
    SPIKESEQ_ONE = 1 << SPIKESEQ_FRACTION,
    SPIKESEQ_LARGEST_C = 1 << 26,
    SPIKESEQ_LARGEST_NEURON = 1 << 28,
};

/* drive [width] = W x + b in the units of the sums, sums [width] scratch; 0 where W x leaves float32 */
int spikeseq_input_product_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const float *x, float *sums,
                                int32_t *drive);
/* drive in units of unit 2^-r_j -> in the units of the sums, bias added */
void spikeseq_scale_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, float unit, int32_t *restrict drive);
/* sum [width] += k[0] rows[0] + .. + k[3] rows[3] */
void spikeseq_four_rows(int32_t *sum, const int8_t *const rows[4], size_t width, const int16_t k[4]);
void spikeseq_code_product_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const int8_t *k, int32_t *drive);
void spikeseq_shift_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit,
                         int32_t *restrict drive); /* as scale */
uint64_t spikeseq_delta_int8(int32_t *restrict held, const int8_t *restrict rows, const int8_t *restrict now,
                             const int8_t *restrict before, size_t inputs, size_t width);
uint64_t spikeseq_event_add_int8(int32_t *sum, const int8_t *rows, size_t width, const int8_t *k, size_t inputs,
                                 uint32_t *list, uint16_t *scratch); /* scratch [min(width, TILE)] */
void spikeseq_add_int8(int32_t *restrict sum, const int32_t *restrict step, size_t width);
void spikeseq_grid_cell_int8(const spikeseq_layer_int8 *layer, uint32_t steps, uint32_t t,
                             const int32_t *restrict membrane, int32_t *restrict c, int32_t *restrict y);
uint64_t spikeseq_grid_spikes_int8(uint32_t steps, uint32_t t, float shift, int32_t limit, size_t hidden,
                                   int32_t *restrict y, int32_t *restrict emitted, int8_t *restrict h);
uint64_t spikeseq_lif_node_int8(const spikeseq_layer_int8 *layer, uint32_t reset, const int32_t *current, int32_t *v,
                                int8_t *h);
uint64_t spikeseq_streams_node_int8(const spikeseq_layer_int8 *layer, float shift, const int32_t *current,
                                    int32_t *neurons, int32_t *c, int8_t *h);
uint64_t spikeseq_levels_node_int8(const spikeseq_layer_int8 *layer, const spikeseq_model *model, const int32_t *current,
                                   int32_t *state, int8_t *k);

static SPIKESEQ_INLINE int32_t spikeseq_left(int32_t value, uint32_t bits) { return (int32_t)((uint32_t)value << bits); }

static SPIKESEQ_INLINE int32_t spikeseq_within(int32_t value, int32_t low, int32_t high)
{
    value = value > low ? value : low;
    return value < high ? value : high;
}

static SPIKESEQ_INLINE float spikeseq_between(float value, float low, float high)
{
    value = value > low ? value : low; /* a NaN becomes low: no conversion behind it is undefined */
    return value < high ? value : high;
}

/* k value, k in 0 .. 2^bits: a shifted value for each bit of k */
static SPIKESEQ_INLINE int32_t spikeseq_gated(int32_t k, int32_t value, uint32_t bits)
{
    uint32_t total = 0;
    for (uint32_t b = 0; b <= bits; b++)
        total += (uint32_t)-((k >> b) & 1) & ((uint32_t)value << b);
    return (int32_t)total;
}

/* round(q v / 2^bits), q in 0 .. 2^bits: shifted values added where a bit of q is set; |v| <= 2^28, bits 8 .. 16 */
static SPIKESEQ_INLINE int32_t spikeseq_leaked(int32_t v, uint32_t q, uint32_t bits)
{
    const uint32_t low = (uint32_t)v & ((1u << bits) - 1), half = 1u << (bits - 1);
    const uint32_t small = (uint32_t)spikeseq_gated((int32_t)q, (int32_t)low, bits);
    return spikeseq_gated((int32_t)q, v >> bits, bits) + (int32_t)((small + half) >> bits);
}

/* log2 of a power of two */
static inline uint32_t spikeseq_log2(uint32_t power)
{
    uint32_t bits = 0;
    while (power >>= 1)
        bits++;
    return bits;
}

static inline uint32_t spikeseq_hidden(const spikeseq_model *model, uint32_t number)
{
    return model->layers ? model->layers[number].hidden_size : model->layers_int8[number].hidden_size;
}

static inline uint32_t spikeseq_inputs(const spikeseq_model *model, uint32_t number)
{
    return model->layers ? model->layers[number].input_size : model->layers_int8[number].input_size;
}

/* G / H */
static inline size_t spikeseq_gates(const spikeseq_model *model)
{
    return model->kind == SPIKESEQ_LIF || model->kind == SPIKESEQ_LEAKY ? 1 : model->kind >= SPIKESEQ_LEVELS ? 2 : 4;
}

/* whether layers send multi-bit values */
static inline int spikeseq_coded(const spikeseq_model *model) { return model->kind >= SPIKESEQ_GATED; }

/* nodes (n, t) of an element n: T, or the one of currents, which sends all at once */
static inline uint32_t spikeseq_nodes(const spikeseq_model *model)
{
    return model->kind >= SPIKESEQ_LEVELS ? 1 : model->time_steps;
}

/* G: columns of a layer's rows */
static inline size_t spikeseq_width(const spikeseq_model *model, uint32_t number)
{
    return spikeseq_gates(model) * spikeseq_hidden(model, number);
}

/* int8: limit of W x, far beyond every level, and T of them fit a sum; of a carried membrane less, for more bits below it */
static inline int32_t spikeseq_largest_drive(const spikeseq_model *model)
{
    return (int32_t)((model->kind == SPIKESEQ_LIF ? 1u << 20 : 1u << 24) / spikeseq_nodes(model));
}

/* values of a unit that live along t within one element */
static inline size_t spikeseq_neurons(const spikeseq_model *model)
{
    return model->kind == SPIKESEQ_STREAMS ? 4 : model->kind != SPIKESEQ_GRID ? 0 : model->layers ? 2 : 3;
}

/* one element through all layers; no output */
spikeseq_status spikeseq_advance(spikeseq_stream *stream, const float *x);

/* NULL or BAD_MODEL for what can be seen without reading the weights */
spikeseq_status spikeseq_check_shape(const spikeseq_model *model);

/* BAD_WEIGHT, or OK: the numbers of an int8 model whose shape is checked */
spikeseq_status spikeseq_check_int8(const spikeseq_model *model);

/* 1 if every value is finite */
int spikeseq_finite(const float *values, size_t len);

/* 1 if every value is in (0, 1e30] */
int spikeseq_ranges(const float *values, size_t len);

/* H of the last layer; length of an output */
uint32_t spikeseq_last_hidden(const spikeseq_model *model);
size_t spikeseq_output_len(const spikeseq_model *model);

/* offset of layer `number` in stream->h and in stream->c, in values */
size_t spikeseq_layer_offset(const spikeseq_model *model, uint32_t number);
size_t spikeseq_cell_offset(const spikeseq_model *model, uint32_t number);

#endif
