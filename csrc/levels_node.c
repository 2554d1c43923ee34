/* Node n of a gated current at T levels: gate, current, and a packet of spikes by a sigma-delta code; equations in spikeseq.h.
 *
 * Every operation is the model's, in its order, in float32: equal currents give equal bits.
 */
#include <math.h>

#include "internal.h"

SPIKESEQ_HOT uint64_t spikeseq_levels_node(const spikeseq_layer *layer, const spikeseq_model *model,
                                           const float *restrict current, float *restrict state, int8_t *restrict k)
{
    const size_t hidden = layer->hidden_size;
    const float levels = (float)model->time_steps, share = 1.0f / levels, shift = model->shift; /* share: exact */
    const float low = model->is_signed ? -1.0f : 0.0f;
    const float *restrict threshold = layer->threshold, *restrict gam = layer->clip, *restrict drive = current + hidden;
    float *restrict kept = state, *restrict rest = state + hidden;
    uint32_t sent = 0; /* at most 16 for each of 2^16 units */
    for (size_t j = 0; j < hidden; j++) {
        const float open = spikeseq_between(floorf(levels * (current[j] / threshold[j] + 0.5f) + shift), 0.0f, levels), z = open * share;
        const float next = (1.0f - z) * spikeseq_between(drive[j], low * gam[j], gam[j]) + z * kept[j];
        const float sum = rest[j] + next, u = spikeseq_between(sum, low, 1.0f) * levels, size = floorf(fabsf(u) + 0.5f);
        const float packet = u < 0.0f ? -size : size;
        kept[j] = next;
        rest[j] = sum - packet * share;
        k[j] = (int8_t)packet;
        sent += (uint32_t)size;
    }
    return sent;
}
