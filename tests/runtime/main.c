/* Calls every function, right and wrong; built with sanitizers by test_c.py. Prints ok. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spikeseq.h"

enum { I = 5, H = 7, O = 3, L = 40 };

#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);    \
            exit(1);                                                   \
        }                                                              \
    } while (0)

static float *filled(size_t count, float scale)
{
    float *values = malloc(count * sizeof *values);
    for (size_t j = 0; j < count; j++)
        values[j] = scale * ((float)(rand() % 97) / 48.0f - 1.0f);
    return values;
}

static float *constant(size_t count, float value)
{
    float *values = malloc(count * sizeof *values);
    for (size_t j = 0; j < count; j++)
        values[j] = value;
    return values;
}

static void run(spikeseq_model model, float *x)
{
    size_t bytes = 0, len = model.outputs ? O : H;
    float y[H], one[L * H], all[L * H];
    spikeseq_stream stream;
    CHECK(spikeseq_check(&model) == SPIKESEQ_OK);
    CHECK(spikeseq_stream_size(&model, &bytes) == SPIKESEQ_OK);
    unsigned char *buffer = malloc(bytes); /* exactly: a byte too far is found */
    memset(buffer, 0xff, bytes);           /* NaN: nothing may be read before it is written */
    CHECK(spikeseq_stream_init(&model, buffer, bytes - 1, &stream) == SPIKESEQ_BAD_BUFFER);
    CHECK(spikeseq_stream_init(&model, buffer + 1, bytes, &stream) == SPIKESEQ_BAD_BUFFER);
    CHECK(spikeseq_stream_init(&model, buffer, bytes, &stream) == SPIKESEQ_OK);
    for (size_t n = 0; n < L; n++)
        CHECK(spikeseq_step(&stream, x + n * I, I, one + n * len, len) == SPIKESEQ_OK);
    for (size_t j = 0; j < L * len; j++)
        CHECK(isfinite(one[j]));
    CHECK(stream.elements == L && stream.counters[0].elements == L && stream.counters[0].acs > 0);
    spikeseq_reset(&stream);
    CHECK(spikeseq_sequence(&stream, x, L * I, all, model.outputs ? len : L * len) == SPIKESEQ_OK);
    CHECK(!memcmp(all, model.outputs ? one + (L - 1) * len : one, (model.outputs ? 1 : L) * len * sizeof *all));
    const float kept = x[I + 1], wrong[] = {NAN, INFINITY, -INFINITY, 3e38f};
    for (size_t k = 0; k < 4; k++) {
        x[I + 1] = wrong[k];
        spikeseq_reset(&stream);
        const spikeseq_status status = spikeseq_sequence(&stream, x, L * I, all, model.outputs ? len : L * len);
        CHECK(status == SPIKESEQ_NOT_FINITE || (k == 3 && status == SPIKESEQ_OK));
        CHECK(status == SPIKESEQ_OK || stream.elements == 1);
    }
    x[I + 1] = kept;
    CHECK(spikeseq_step(&stream, x, I - 1, y, len) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_step(&stream, x, I, y, len + 1) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_step(&stream, x, I, NULL, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(&stream, NULL, I, y, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(NULL, x, I, y, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(&stream, x, I, NULL, 0) == SPIKESEQ_OK);
    CHECK(spikeseq_sequence(&stream, x, I + 1, y, len) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_sequence(&stream, x, 0, y, 0) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_sequence(&stream, NULL, I, y, len) == SPIKESEQ_NULL);
    free(buffer);
}

static void refused(spikeseq_model model, float *weights)
{
    spikeseq_layer layers[2] = {model.layers[0], model.layers[1]};
    size_t bytes;
    spikeseq_model m = model;
    m.layers = layers;
    CHECK(spikeseq_check(NULL) == SPIKESEQ_NULL && spikeseq_stream_size(NULL, &bytes) == SPIKESEQ_NULL);
    CHECK(spikeseq_stream_size(&m, NULL) == SPIKESEQ_NULL && spikeseq_reset(NULL) == SPIKESEQ_NULL);
    const uint32_t steps[] = {0, 3, 17, 32, UINT32_MAX};
    for (size_t k = 0; k < 5; k++) {
        m.time_steps = steps[k];
        CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_MODEL);
    }
    m.time_steps = 2;
    m.shift = NAN;
    CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_MODEL);
    m.shift = 0.0f;
    layers[1].input_size++;
    CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_MODEL);
    layers[1].input_size--;
    layers[1].clip = NULL;
    CHECK(spikeseq_check(&m) == SPIKESEQ_NULL);
    layers[1].clip = model.layers[1].clip;
    const float kept = weights[3], wrong[] = {NAN, INFINITY, -2e30f};
    for (size_t k = 0; k < 3; k++) {
        weights[3] = wrong[k];
        CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_WEIGHT);
    }
    weights[3] = kept;
    CHECK(spikeseq_check(&m) == SPIKESEQ_OK && spikeseq_abi() == SPIKESEQ_ABI);
    for (int status = 0; status < 9; status++)
        CHECK(strlen(spikeseq_message((spikeseq_status)status)) > 1);
}

static void integers(float *x)
{
    static int8_t w[I * 4 * H], u[H * 4 * H], out[H * O];
    static float scale[4 * H], out_scale[O] = {0.5f, 1.0f, 0.25f}, bias[O] = {1.0f, -1.0f, 0.5f};
    static int32_t b[4 * H], levels[16 * 3 * H], gam[H];
    static uint8_t candidate[H];
    const int32_t wide = 1 << 22; /* sums come to their limits */
    for (size_t j = 0; j < 4 * H; j++)
        scale[j] = 1.0f, b[j] = (int32_t)(rand() % (2 * wide)) / 16 - wide / 16;
    for (size_t j = 0; j < sizeof w; j++)
        w[j] = (int8_t)(rand() % 256 - 128);
    for (size_t j = 0; j < sizeof u; j++)
        u[j] = (int8_t)(rand() % 256 - 128);
    for (size_t j = 0; j < sizeof out; j++)
        out[j] = (int8_t)(rand() % 256 - 128);
    for (size_t j = 0; j < 16 * 3 * H; j++)
        levels[j] = rand() % 2000 - 1000;
    for (size_t j = 0; j < H; j++)
        gam[j] = j % 2 ? 1 << 25 : 1 << 16, candidate[j] = (uint8_t)(4 + rand() % 21);
    spikeseq_layer_int8 layers[2] = {{I, H, w, u, scale, b, levels, gam, candidate},
                                     {H, H, u, u, NULL, NULL, levels, gam, candidate}};
    for (uint32_t steps = 1; steps <= 16; steps *= 2)
        for (uint32_t outputs = 0; outputs <= O; outputs += O)
            run((spikeseq_model){steps, steps == 4, 0.5f, 2, NULL, steps % 4 == 0, outputs, NULL, bias, layers, out,
                                 out_scale}, x);
    spikeseq_model m = {2, 0, 0.5f, 2, NULL, 0, O, NULL, bias, layers, out, out_scale};
    scale[2] = 3.0f;
    CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_WEIGHT);
    scale[2] = 1.0f, b[1] = INT32_MIN;
    CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_WEIGHT);
    b[1] = 0, candidate[0] = 3;
    CHECK(spikeseq_check(&m) == SPIKESEQ_BAD_WEIGHT);
    candidate[0] = 4, layers[0].levels = NULL;
    CHECK(spikeseq_check(&m) == SPIKESEQ_NULL);
}

int main(void)
{
    float *chunk = filled(L * I, 100.0f);
    integers(chunk);
    free(chunk);
    const float scales[] = {0.0f, 1e-40f, 1.0f, 1e25f};
    for (size_t s = 0; s < 4; s++) {
        float *w = filled(I * 4 * H, scales[s]), *u = filled(H * 4 * H, scales[s]), *b = filled(4 * H, scales[s]);
        float *v = constant(3 * H, 4.0f), *gam = constant(H, 1.0f), *out = filled(H * O, scales[s]), *x = filled(L * I, 2.0f);
        const spikeseq_layer layers[2] = {{I, H, w, u, b, v, gam}, {H, H, u, u, s % 2 ? b : NULL, v, gam}};
        for (uint32_t steps = 1; steps <= 16; steps *= 2)
            for (uint32_t packet = 0; packet <= 1; packet++)
                for (uint32_t outputs = 0; outputs <= O; outputs += O)
                    run((spikeseq_model){steps, packet, 0.5f, 2, layers, steps % 4 == 0, outputs, out, b, NULL, NULL, NULL}, x);
        refused((spikeseq_model){2, 0, 0.5f, 2, layers, 0, O, out, b, NULL, NULL, NULL}, u);
        free(w), free(u), free(b), free(v), free(gam), free(out), free(x);
    }
    puts("ok");
    return 0;
}
