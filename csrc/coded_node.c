/* Node n of a gated or leaky current, and the sigma-delta code of its outputs; equations in spikeseq.h.
 *
 * Every operation is the model's, in its order, in float32, but for exp, which is the C library's.
 */
#include <math.h>

#include "values.h"

static SPIKESEQ_INLINE float bounded(float value) { return spikeseq_between(value, -SPIKESEQ_LARGEST_V, SPIKESEQ_LARGEST_V); }

SPIKESEQ_HOT uint64_t spikeseq_sigma_delta(const spikeseq_model *model, spikeseq_code code, float low, float dead, size_t count,
                                           const float *restrict value, float *restrict rest, int8_t *restrict k)
{
    const float half = model->code_nearest ? 0.5f : 0.0f;
    uint32_t sent = 0;
    for (size_t j = 0; j < count; j++) {
        const float sum = bounded(rest[j] + value[j]), u = spikeseq_between(sum / code.reach, low, 1.0f) * code.scale;
        const float whole = floorf(fabsf(u) + half), size = whole > dead ? whole : 0.0f, level = u < 0.0f ? -size : size;
        rest[j] = sum - spikeseq_value(code, level);
        k[j] = (int8_t)level;
        sent += level != 0.0f;
    }
    return sent;
}

SPIKESEQ_HOT static void gated(const float *restrict current, float *restrict kept, size_t hidden)
{
    for (size_t j = 0; j < hidden; j++) {
        const float z = 1.0f / (1.0f + expf(-current[j]));
        kept[j] = (1.0f - z) * spikeseq_between(current[hidden + j], 0.0f, SPIKESEQ_LARGEST_V) + z * kept[j];
    }
}

SPIKESEQ_HOT static void leaky(const float *restrict current, const float *restrict leak, float *restrict kept, size_t hidden)
{
    for (size_t j = 0; j < hidden; j++)
        kept[j] = bounded(current[j] + leak[j] * kept[j]);
}

uint64_t spikeseq_coded_node(const spikeseq_layer *layer, const spikeseq_model *model, const float *current, float *state,
                             int8_t *k)
{
    const size_t hidden = layer->hidden_size;
    const spikeseq_code code = {layer->reach[0], model->code_scale};
    if (model->kind == SPIKESEQ_GATED)
        gated(current, state, hidden);
    else
        leaky(current, layer->leak, state, hidden);
    return spikeseq_sigma_delta(model, code, model->is_signed ? -1.0f : 0.0f, (float)model->code_dead, hidden, state,
                                state + hidden, k);
}
