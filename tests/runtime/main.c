/* Calls every function, right and wrong; built with sanitizers by test_c.py. Prints ok. */
#include "models.h"

/* T = 2, 8-bit input, bias, readout; streams with leaks, levels with recurrence and sign */
enum { STREAMS = 1 + 5 + 30 + 90 + 360 + 720, LEVELS = 1 + 15 + 30 + 90 + 720, GATED = 1 + 20 + 90, LEAKY = GATED + 5 };

/* the stream takes x, or says why not */
static void wrong_calls(spikeseq_stream *stream, const float *x, float *y, size_t len)
{
    CHECK(spikeseq_step(stream, x, I - 1, y, len) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_step(stream, x, I, y, len + 1) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_step(stream, x, I, NULL, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(stream, NULL, I, y, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(NULL, x, I, y, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_step(stream, x, I, NULL, 0) == SPIKESEQ_OK);
    CHECK(spikeseq_sequence(stream, x, I + 1, y, len) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_sequence(stream, x, 0, y, 0) == SPIKESEQ_BAD_SIZE);
    CHECK(spikeseq_sequence(stream, NULL, I, y, len) == SPIKESEQ_NULL);
    CHECK(spikeseq_multiply(NULL) == SPIKESEQ_NULL && spikeseq_multiply(stream) == SPIKESEQ_OK);
}

static void run(const spikeseq_model *model, float *x)
{
    size_t size = 0, len = model->outputs ? O : H;
    float y[H], one[L * H], all[L * H];
    spikeseq_stream stream;
    CHECK(spikeseq_check(model) == SPIKESEQ_OK);
    CHECK(spikeseq_stream_size(model, &size) == SPIKESEQ_OK);
    unsigned char *buffer = malloc(size); /* exactly: a byte too far is found */
    memset(buffer, 0xff, size);           /* NaN: nothing may be read before it is written */
    CHECK(spikeseq_stream_init(model, buffer, size - 1, &stream) == SPIKESEQ_BAD_BUFFER);
    CHECK(spikeseq_stream_init(model, buffer + 1, size, &stream) == SPIKESEQ_BAD_BUFFER);
    CHECK(spikeseq_stream_init(model, buffer, size, &stream) == SPIKESEQ_OK);
    for (size_t n = 0; n < L; n++)
        CHECK(spikeseq_step(&stream, x + n * I, I, one + n * len, len) == SPIKESEQ_OK);
    for (size_t j = 0; j < L * len; j++)
        CHECK(isfinite(one[j]));
    CHECK(stream.elements == L && stream.counters[0].elements == L && stream.counters[1].elements == L);
    spikeseq_reset(&stream);
    CHECK(spikeseq_sequence(&stream, x, L * I, all, model->outputs ? len : L * len) == SPIKESEQ_OK);
    CHECK(!memcmp(all, model->outputs ? one + (L - 1) * len : one, (model->outputs ? 1 : L) * len * sizeof *all));
    const float kept = x[I + 1], wrong[] = {NAN, INFINITY, -INFINITY, 3e38f};
    for (size_t k = 0; k < 4; k++) {
        x[I + 1] = wrong[k];
        spikeseq_reset(&stream);
        const spikeseq_status status = spikeseq_sequence(&stream, x, L * I, all, model->outputs ? len : L * len);
        CHECK(status == SPIKESEQ_NOT_FINITE || (k == 3 && status == SPIKESEQ_OK));
        CHECK(status == SPIKESEQ_OK || stream.elements == 1);
    }
    x[I + 1] = kept;
    wrong_calls(&stream, x, y, len);
    free(buffer);
}

static void refused(made *m)
{
    size_t size;
    spikeseq_model model = m->model;
    CHECK(spikeseq_check(NULL) == SPIKESEQ_NULL && spikeseq_stream_size(NULL, &size) == SPIKESEQ_NULL);
    CHECK(spikeseq_stream_size(&model, NULL) == SPIKESEQ_NULL && spikeseq_reset(NULL) == SPIKESEQ_NULL);
    CHECK(spikeseq_check(&model) == SPIKESEQ_OK && spikeseq_abi() == SPIKESEQ_ABI);
    const uint32_t steps[] = {0, 3, 17, 32, UINT32_MAX};
    for (size_t k = 0; k < 5; k++) {
        model.time_steps = steps[k];
        CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    }
    model = m->model, model.shift = NAN;
    CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    model = m->model, model.kind = 9;
    CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    model = m->model, model.is_signed = 2;
    CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    model = m->model, model.input_code = 3;
    CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    model = m->model, m->layers[1].input_size++;
    CHECK(spikeseq_check(&model) == SPIKESEQ_BAD_MODEL);
    m->layers[1].input_size--, m->layers[1].clip = NULL;
    CHECK(spikeseq_check(&model) == SPIKESEQ_NULL);
    m->layers[1].clip = m->gam;
    for (int status = 0; status < 9; status++)
        CHECK(strlen(spikeseq_message((spikeseq_status)status)) > 1);
}

/* one number of a model at a time that it must not have */
static void bad_weights(made *m)
{
    const struct { float *place, wrong; } cases[] = {
        {&m->u[3], NAN}, {&m->u[3], INFINITY}, {&m->w[3], -2e30f}, {&m->v[1], 0.0f}, {&m->gam[2], -1.0f},
        {&m->leak[4], 1.5f}, {&m->leak[4], NAN}, {&m->offset[2], INFINITY}, {&m->step[1], 0.0f}, {&m->step[1], NAN},
        {&m->out[0], NAN}, {&m->out_bias[0], INFINITY}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const float kept = *cases[k].place;
        *cases[k].place = cases[k].wrong;
        CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
        *cases[k].place = kept;
    }
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_OK);
}

/* gated and leaky currents: what |k| <= 127 and finite sums need */
static void bad_codes(made *m)
{
    const struct { float scale; uint32_t nearest; spikeseq_status status; } codes[] = {
        {127.9f, 0, SPIKESEQ_OK}, {128.0f, 0, SPIKESEQ_BAD_MODEL}, {127.4f, 1, SPIKESEQ_OK}, {127.9f, 1, SPIKESEQ_BAD_MODEL},
        {0.0f, 0, SPIKESEQ_BAD_MODEL}, {1e-40f, 0, SPIKESEQ_BAD_MODEL}, {1.0f, 1, SPIKESEQ_OK}, {NAN, 0, SPIKESEQ_BAD_MODEL}, {31.0f, 2, SPIKESEQ_BAD_MODEL}};
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
        make_model(m, GATED, 0);
        m->model.code_scale = codes[k].scale, m->model.code_nearest = codes[k].nearest;
        CHECK(spikeseq_check(&m->model) == codes[k].status);
    }
    make_model(m, GATED, 0);
    m->model.code_dead = 128;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    make_model(m, GATED, 0);
    m->model.layers = NULL, m->model.layers_int8 = m->layers8; /* integers throughout: not of this kind */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    make_model(m, GATED, 0);
    m->layers[1].reach = NULL;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    const float reaches[] = {0.0f, -1.0f, NAN, 2e30f, 1e30f}; /* the last is one, but its products with U are not */
    for (size_t k = 0; k < 5; k++) {
        make_model(m, GATED, 0);
        m->reach[0] = reaches[k];
        m->u[H * W - 1] = 2.0f;
        CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    }
    m->reach[0] = 2.0f;
    make_model(m, GATED, 1); /* integers and their units */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_OK);
    m->unit[W - 1] = 0.0f;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->unit[W - 1] = 1e30f;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->unit[W - 1] = 1.0f, m->layers[1].input_unit = NULL;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    make_model(m, GATED, 1);
    m->layers[1].input_rows_int8 = NULL; /* all layers, or none */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    make_model(m, GATED, 1);
    m->layers[1].recurrent_rows = m->u; /* two forms of one matrix */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    make_model(m, GATED, 1);
    m->layers[0].input_size = (1u << 17) + 1;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    make_model(m, GATED + 60, 0); /* its input in a sigma-delta code */
    CHECK(m->model.input_code == SPIKESEQ_SIGMA_DELTA && spikeseq_check(&m->model) == SPIKESEQ_OK);
    m->model.input_scale = 128.0f;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    m->model.input_scale = 7.5f, m->layers[0].input_reach = NULL;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    m->layers[0].input_reach = m->input_reach, m->input_reach[0] = -1.0f;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->input_reach[0] = 3.0f;
    make_model(m, STREAMS, 0);
    m->model.input_code = SPIKESEQ_SIGMA_DELTA; /* spikes have no such code */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_MODEL);
    make_model(m, LEAKY, 0);
    m->leak[2 * H] = 1.5f; /* free to leave [0, 1], as the model's */
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_OK);
    m->layers[0].leak = NULL;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    m->leak[2 * H] = 0.5f;
}

static void bad_integers(made *m)
{
    const struct { int32_t *place, wrong; } cases[] = {
        {&m->b8[1], INT32_MIN}, {&m->v8[0], 0}, {&m->v8[0], INT32_MAX}, {&m->offset8[3], INT32_MIN}, {&m->gam8[0], 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int32_t kept = *cases[k].place;
        *cases[k].place = cases[k].wrong;
        CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
        *cases[k].place = kept;
    }
    m->candidate[0] -= 100;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->candidate[0] += 100, m->leak8[1] += 1;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->leak8[1] -= 1, m->shift8[3] = 25;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_BAD_WEIGHT);
    m->shift8[3] = 0, m->layers8[0].extra = NULL;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_NULL);
    m->layers8[0].extra = m->extra;
    CHECK(spikeseq_check(&m->model) == SPIKESEQ_OK);
}

int main(void)
{
    static made m;
    float x[L * I];
    const float scales[] = {0.0f, 1e-40f, 1.0f, 1e25f};
    for (unsigned number = 0; number < 2 * MODELS; number++) { /* an odd number of models a scale: each meets two */
        make_float(&m, scales[number / 7 % 4]);
        fill(x, L * I, 2.0f);
        make_model(&m, number % MODELS, 0);
        run(&m.model, x);
    }
    make_float(&m, 1.0f);
    make_int8(&m);
    fill(x, L * I, 100.0f);
    for (unsigned number = 0; number < MODELS; number++) {
        make_model(&m, number, 1);
        run(&m.model, x);
    }
    make_model(&m, LEVELS, 1);
    m.small8[3]++;
    CHECK(spikeseq_check(&m.model) == SPIKESEQ_BAD_WEIGHT);
    m.small8[3]--;
    CHECK(spikeseq_check(&m.model) == SPIKESEQ_OK);
    make_model(&m, STREAMS, 1);
    bad_integers(&m);
    make_float(&m, 1.0f);
    make_model(&m, LEVELS, 0);
    m.gam[1] = 1.5f; /* allowed for every other kind */
    CHECK(spikeseq_check(&m.model) == SPIKESEQ_BAD_WEIGHT);
    make_model(&m, STREAMS, 0);
    CHECK(spikeseq_check(&m.model) == SPIKESEQ_OK);
    m.gam[1] = 1.0f;
    refused(&m);
    bad_weights(&m);
    bad_codes(&m);
    puts("ok");
    return 0;
}
