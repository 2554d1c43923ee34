/* Models and inputs of every size of number, right and wrong, by a generator; built with sanitizers by test_c.py.
 *
 * A model is refused, or runs: then a step gives finite outputs, or says why not and has changed nothing. Prints ok.
 */
#include <float.h>

#include "models.h"

enum { ROUNDS = 6000, STEPS = 12 };

static const float NASTY[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, -2.0f, 1e-45f, -1e-38f, 1e-20f, 1e10f, -1e20f, 1e30f, -1e30f,
                              FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN};
enum { FINITE = 15, ALLOWED = 13, ALL = 18 }; /* of them */

static float nasty(int count) { return NASTY[rand() % count]; }

/* a number of 0 to 31 bits, either sign */
static int32_t integer(void)
{
    const uint32_t bits = (uint32_t)rand() << 1 ^ (uint32_t)rand();
    const int32_t size = (int32_t)(bits >> (1 + rand() % 31));
    return rand() % 2 ? size : -size;
}

/* floats [count], one in `rate` nasty */
static void spoil(float *values, size_t count, int rate, int most)
{
    for (size_t j = 0; j < count; j++)
        if (rand() % rate == 0)
            values[j] = nasty(most);
}

static void random_floats(made *m)
{
    const float scales[] = {0.0f, 1e-40f, 1e-3f, 1.0f, 30.0f, 1e12f, 1e30f};
    const int most = rand() % 8 ? ALLOWED : ALL, rate = rand() % 2 ? 7 : 1 << 20;
    make_float(m, scales[rand() % 7]);
    spoil(m->w, I * W, rate, most), spoil(m->u, H * W, rate, most), spoil(m->b, W, rate, most);
    spoil(m->offset, 3 * H, rate, most), spoil(m->out, H * O, rate, most), spoil(m->out_bias, O, rate, most);
    if (rand() % 4 == 0)
        spoil(m->v, 3 * H, 3, ALL), spoil(m->gam, H, 3, ALL), spoil(m->leak, 3 * H, 3, ALL), spoil(m->step, I, 3, ALL), spoil(m->reach, 1, 3, ALL), spoil(m->input_reach, 1, 3, ALL);
    for (size_t j = 0; j < 3 * H && rand() % 2; j++)
        m->v[j] = fabsf(nasty(ALLOWED)) + 1e-45f;
    for (size_t j = 0; j < I && rand() % 2; j++)
        m->step[j] = fabsf(nasty(ALLOWED)) + 1e-45f;
}

static void random_integers(made *m)
{
    make_float(m, rand() % 4 ? 1.0f : 1e20f);
    make_int8(m);
    const int wild = rand() % 3 ? 40 : 4; /* most models must still pass */
    for (size_t j = 0; j < W; j++) {
        m->b8[j] = integer() >> rand() % 12;
        m->shift8[j] = rand() % wild ? (int8_t)(rand() % 55 - 30) : (int8_t)integer();
        m->scale8[j] = rand() % 50 ? ldexpf(1.0f, rand() % 90 - 60) : nasty(ALL);
    }
    for (size_t j = 0; j < 16 * 3 * H; j++)
        m->levels[j] = integer();
    for (size_t j = 0; j < 3 * H; j++) {
        m->v8[j] = rand() % wild ? rand() % (1 << 28) + 1 : integer();
        m->offset8[j] = rand() % wild ? integer() >> 10 : integer();
        m->leak8[j] = rand() % wild ? m->leak8[j] : (uint32_t)integer();
        m->extra[j] = (uint8_t)(rand() % wild ? rand() % 3 : rand());
    }
    for (size_t j = 0; j < H; j++) {
        m->gam8[j] = rand() % wild ? rand() % (1 << 25) + 1 : integer();
        m->small8[j] = rand() % wild ? rand() % (1 << 16) + 1 : integer();
        m->candidate[j] = (uint8_t)(rand() % wild ? 4 + rand() % 21 : rand());
    }
    spoil(m->step, I, 100, ALL), spoil(m->out_bias, O, 100, ALL), spoil(m->unit, W, 200, ALL);
}

/* numbers of a model's descriptor, pointers left out that may be */
static void spoil_model(made *m)
{
    spikeseq_model *model = &m->model;
    uint32_t *fields[] = {&model->kind, &model->input_code, &model->time_steps, &model->max_packet, &model->reset,
                          &model->pooling, &model->is_signed,
                          &model->code_dead, &model->code_nearest};
    const uint32_t built = model->kind;
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (rand() % 4 == 0) /* no larger T: the levels end there */
            *fields[k] = (uint32_t)(rand() % 3 ? rand() % 6 : integer()) % (k == 2 ? 17 : UINT32_MAX);
    if (built == SPIKESEQ_LEVELS && model->kind < built) /* its arrays are too short for the others */
        model->kind = built;
    if (rand() % 4 == 0)
        model->shift = nasty(ALL);
    if (rand() % 4 == 0)
        model->code_scale = rand() % 2 ? nasty(ALL) : (float)(rand() % 140);
    if (rand() % 8 == 0)
        model->input_scale = nasty(ALL);
    if (rand() % 8 == 0)
        m->layers[rand() % 2].threshold = NULL, m->layers8[rand() % 2].input_rows = NULL;
    if (rand() % 8 == 0)
        model->readout_rows = NULL, model->readout_scale = NULL;
    if (rand() % 8 == 0)
        model->layers = NULL;
}

typedef struct {
    unsigned char *bytes;
    size_t size;
} snapshot;

/* the state as it is now: c, h, k, held, sum, a code's rest, and how many elements */
static snapshot taken(const spikeseq_stream *s)
{
    const spikeseq_model *m = s->model;
    const int lif = m->kind == SPIKESEQ_LIF, levels = m->kind >= SPIKESEQ_LEVELS;
    const size_t h = 2 * H * (levels ? 1 : m->time_steps), c = (lif ? 2 * H : levels ? 2 * h : h) * 4;
    const size_t summed = m->kind >= SPIKESEQ_GATED && m->pooling != SPIKESEQ_POOL_LAST ? H : 0;
    const size_t g = lif || m->kind == SPIKESEQ_LEAKY ? H : levels ? 2 * H : W;
    const struct { const void *at; size_t size; } parts[] = {
        {s->c, c}, {s->c_int8, c}, {s->h, h}, {s->held ? s->k : NULL, I}, {s->held_int8 ? s->k : NULL, I},
        {s->held, 8 * g}, {s->held_int8, 4 * g}, {s->sum, (m->outputs && summed > m->outputs ? summed : m->outputs) * sizeof(double)},
        {m->input_code == SPIKESEQ_SIGMA_DELTA ? s->x : NULL, I * sizeof(float)}, {&s->elements, 8}};
    snapshot taken = {calloc(1, 4096), 0};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (parts[k].at) {
            memcpy(taken.bytes + taken.size, parts[k].at, parts[k].size);
            taken.size += parts[k].size;
        }
    CHECK(taken.size <= 4096);
    return taken;
}

/* Returns how many elements it took. */
static unsigned drive(spikeseq_stream *stream, size_t len)
{
    unsigned ok = 0;
    for (unsigned n = 0; n < STEPS; n++) {
        float x[I], y[O > H ? O : H];
        const int most = rand() % 4 ? FINITE : ALL;
        for (size_t i = 0; i < I; i++)
            x[i] = rand() % 3 ? nasty(most) : around(3.0f);
        const snapshot before = taken(stream);
        const spikeseq_status status = spikeseq_step(stream, x, rand() % 9 ? I : (size_t)rand() % 9, y, len);
        CHECK(status == SPIKESEQ_OK || status == SPIKESEQ_NOT_FINITE || status == SPIKESEQ_BAD_SIZE);
        const snapshot after = taken(stream);
        if (status == SPIKESEQ_OK) {
            for (size_t j = 0; j < len; j++)
                CHECK(isfinite(y[j]));
            const size_t cells = stream->model->kind >= SPIKESEQ_LEVELS ? 4 * H : 2 * H; /* or more */
            for (size_t j = 0; stream->c && j < cells; j++)
                CHECK(isfinite(stream->c[j]));
            for (size_t i = 0; stream->model->input_code == SPIKESEQ_SIGMA_DELTA && i < I; i++)
                CHECK(isfinite(stream->x[i]));
            ok++;
        } else {
            CHECK(before.size == after.size && !memcmp(before.bytes, after.bytes, after.size));
        }
        free(before.bytes), free(after.bytes);
    }
    return ok;
}

int main(void)
{
    static made m;
    unsigned refused[2] = {0}, taken_all = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const int int8 = rand() % 2;
        size_t size = 0;
        int8 ? random_integers(&m) : random_floats(&m);
        make_model(&m, (unsigned)rand() % MODELS, int8);
        if (rand() % 4 == 0)
            spoil_model(&m);
        const spikeseq_status status = spikeseq_check(&m.model);
        CHECK(status == SPIKESEQ_OK || status == SPIKESEQ_NULL || status == SPIKESEQ_BAD_MODEL ||
              status == SPIKESEQ_BAD_WEIGHT);
        if (status != SPIKESEQ_OK) {
            refused[int8]++;
            continue;
        }
        CHECK(spikeseq_stream_size(&m.model, &size) == SPIKESEQ_OK);
        unsigned char *buffer = malloc(size);
        spikeseq_stream stream;
        memset(buffer, 0xff, size);
        CHECK(spikeseq_stream_init(&m.model, buffer, size, &stream) == SPIKESEQ_OK);
        taken_all += drive(&stream, m.model.outputs ? O : H);
        free(buffer);
    }
    for (int int8 = 0; int8 < 2; int8++) /* neither all nor none of them */
        CHECK(refused[int8] > ROUNDS / 20 && refused[int8] < ROUNDS / 2 - ROUNDS / 20);
    CHECK(taken_all > ROUNDS);
    puts("ok");
    return 0;
}
