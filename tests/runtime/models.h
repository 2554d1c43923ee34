/* Models with numbers from a generator, for main.c and fuzz.c. */
#ifndef MODELS_H
#define MODELS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spikeseq.h"

enum { I = 5, H = 7, O = 3, L = 40, W = 4 * H };

#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);    \
            exit(1);                                                   \
        }                                                              \
    } while (0)

/* everything a model points to; each array exactly as long as it must be */
typedef struct {
    float w[I * W], u[H * W], b[W], v[3 * H], gam[H], leak[3 * H], offset[3 * H], step[I], out[H * O], out_bias[O], reach[1], input_reach[1];
    int8_t w8[I * W], u8[H * W], out8[H * O], shift8[W];
    int32_t b8[W], levels[16 * 3 * H], gam8[H], small8[H], v8[3 * H], offset8[3 * H];
    uint8_t candidate[H], extra[3 * H];
    uint32_t leak8[3 * H];
    float scale8[W], out_scale[O], unit[W];
    spikeseq_layer layers[2];
    spikeseq_layer_int8 layers8[2];
    spikeseq_model model;
} made;

static float around(float scale) { return scale * ((float)(rand() % 97) / 48.0f - 1.0f); }

static void fill(float *values, size_t count, float scale)
{
    for (size_t j = 0; j < count; j++)
        values[j] = around(scale);
}

static void bytes(int8_t *values, size_t count)
{
    for (size_t j = 0; j < count; j++)
        values[j] = (int8_t)(rand() % 256 - 128);
}

/* float32 weights within scale */
static void make_float(made *m, float scale)
{
    fill(m->w, I * W, scale), fill(m->u, H * W, scale), fill(m->b, W, scale), fill(m->offset, 3 * H, scale);
    fill(m->out, H * O, scale), fill(m->out_bias, O, scale);
    bytes(m->w8, I * W), bytes(m->u8, H * W), bytes(m->out8, H * O); /* of currents, whose other numbers are floats */
    for (size_t j = 0; j < W; j++)
        m->unit[j] = scale / 128.0f + 1e-40f;
    for (size_t o = 0; o < O; o++)
        m->out_scale[o] = scale / 128.0f + 1e-40f;
    for (size_t j = 0; j < 3 * H; j++)
        m->v[j] = 4.0f, m->leak[j] = (float)(rand() % 257) / 256.0f;
    for (size_t j = 0; j < H; j++)
        m->gam[j] = 1.0f;
    m->reach[0] = 2.0f, m->input_reach[0] = 3.0f;
    for (size_t j = 0; j < I; j++)
        m->step[j] = 0.25f;
}

/* int8 weights whose sums come to their limits; no channel's |I| T is above 2^24 + 12 * 128 * 16 * 31 + 2^22 */
static void make_int8(made *m)
{
    const int32_t wide = 1 << 22;
    bytes(m->w8, I * W), bytes(m->u8, H * W), bytes(m->out8, H * O);
    for (size_t j = 0; j < W; j++)
        m->scale8[j] = 1.0f, m->b8[j] = (int32_t)(rand() % (2 * wide)) / 16 - wide / 16, m->shift8[j] = (int8_t)(rand() % 55 - 30);
    for (size_t j = 0; j < 16 * 3 * H; j++)
        m->levels[j] = rand() % 2000 - 1000;
    for (size_t j = 0; j < 3 * H; j++) {
        m->v8[j] = rand() % 5000 + 1, m->offset8[j] = rand() % 4000 - 2000, m->extra[j] = (uint8_t)(rand() % 3);
        m->leak8[j] = (uint32_t)(rand() % 257) << 8;
    }
    for (size_t j = 0; j < H; j++)
        m->gam8[j] = j % 2 ? 1 << 25 : 1 << 16, m->small8[j] = j % 2 ? 1 << 16 : rand() % 999 + 1, m->candidate[j] = (uint8_t)(4 + rand() % 21);
    for (size_t o = 0; o < O; o++)
        m->out_scale[o] = 0.5f;
    for (size_t j = 0; j < I; j++)
        m->step[j] = 0.25f;
    fill(m->out_bias, O, 1.0f);
}

/* a model of two layers; `number` picks T, kind, code, readout and pooling, leak and shift or (levels, gated) recurrence,
 * bias, packet, reset, sign and rounding; int8: currents with units, too */
static void make_model(made *m, unsigned number, int int8)
{
    const uint32_t steps = 1u << number % 5, kind = number / 5 % 6, code = number / 30 % 3;
    const uint32_t readout = number / 90 % 4, leaky = number / 360 % 2, biased = number / 720 % 2;
    const int lif = kind == SPIKESEQ_LIF, levels = kind == SPIKESEQ_LEVELS, multi = kind >= SPIKESEQ_GATED;
    const int sigma = multi && code != SPIKESEQ_DIRECT; /* of a current, the code of its own kind instead */
    const int units = multi && int8, floats = multi || !int8;
    const int one = lif || kind == SPIKESEQ_LEAKY, two = levels || kind == SPIKESEQ_GATED;
    const int streams = kind == SPIKESEQ_STREAMS, coded = code != SPIKESEQ_DIRECT, compares = kind == SPIKESEQ_GRID || levels;
    /* from the end of an array: what is read behind the fewer columns of LIF and levels is found */
    const size_t wide = W - (one ? 1 : two ? 2 : 4) * H, in = I * wide, up = H * wide, each = one || two ? 2 * H : 0;
    for (uint32_t l = 0; l < 2; l++) {
        m->layers[l] = (spikeseq_layer){
            .input_size = l ? H : I, .hidden_size = H, .input_rows = units ? NULL : l ? m->u + up : m->w + in,
            .recurrent_rows = units || one || (two && leaky) ? NULL : m->u + up, .bias = biased ? m->b + wide : NULL, .threshold = multi ? NULL : m->v + each,
            .clip = lif || multi ? NULL : m->gam,
            .leak = kind == SPIKESEQ_LEAKY || (!compares && !multi && leaky) ? m->leak + each : NULL,
            .reach = multi ? m->reach : NULL, .input_rows_int8 = units ? (l ? m->u8 + up : m->w8 + in) : NULL,
            .recurrent_rows_int8 = units && two && !leaky ? m->u8 + up : NULL, .input_unit = units ? m->unit + wide : NULL,
            .recurrent_unit = units ? m->unit + wide : NULL, .input_reach = sigma && !l ? m->input_reach : NULL,
            .offset = streams ? m->offset : NULL, .input_step = coded && !l ? m->step : NULL};
        m->layers8[l] = (spikeseq_layer_int8){
            .input_size = l ? H : I, .hidden_size = H, .input_rows = l ? m->u8 + up : m->w8 + in,
            .recurrent_rows = lif || (levels && leaky) ? NULL : m->u8 + up, .input_scale = l || coded ? NULL : m->scale8 + wide,
            .input_shift = l || !coded ? NULL : m->shift8 + wide, .bias = biased ? m->b8 + wide : NULL,
            .levels = compares ? m->levels : NULL, .clip = lif ? NULL : levels ? m->small8 : m->gam8, .candidate = lif ? NULL : m->candidate,
            .threshold = compares ? NULL : m->v8 + each, .offset = streams ? m->offset8 : NULL,
            .extra = compares ? NULL : m->extra + each, .leak = !compares && leaky ? m->leak8 + each : NULL,
            .input_step = coded && !l ? m->step : NULL};
    }
    m->model = (spikeseq_model){
        .kind = kind, .input_code = sigma ? SPIKESEQ_SIGMA_DELTA : code, .time_steps = steps, .max_packet = biased, .shift = leaky ? 0.0f : 0.5f,
        .num_layers = 2, .layers = floats ? m->layers : NULL, .reset = biased, .is_signed = biased, .code_scale = 31.5f, .input_scale = 7.5f, .code_dead = 3 * leaky,
        .code_nearest = biased, .pooling = readout ? readout - 1 : 0,
        .outputs = readout ? O : 0, .readout_rows = int8 ? NULL : m->out, .readout_bias = m->out_bias,
        .layers_int8 = floats ? NULL : m->layers8, .readout_int8 = int8 ? m->out8 : NULL,
        .readout_scale = int8 ? m->out_scale : NULL};
}

enum { MODELS = 1440 };

#endif
