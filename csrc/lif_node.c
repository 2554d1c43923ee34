/* LIF neurons of one time step: the membrane is the only memory; equation in spikeseq.h.
 *
 * Every operation is the model's, in its order, in float32: equal currents give equal bits.
 */
#include "internal.h"

/* `leaky` and `zero` are constants of each instance */
static SPIKESEQ_INLINE uint64_t node(const spikeseq_layer *layer, const float *restrict current, float *restrict v,
                                     int8_t *restrict h, int leaky, int zero)
{
    const size_t hidden = layer->hidden_size;
    const float *restrict threshold = layer->threshold, *restrict leak = layer->leak;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++) {
        float now = (leaky ? leak[j] * v[j] : v[j]) + current[j];
        now = now > -SPIKESEQ_LARGEST_V ? now : -SPIKESEQ_LARGEST_V; /* sums of finite currents stay finite for ever */
        now = now < SPIKESEQ_LARGEST_V ? now : SPIKESEQ_LARGEST_V;
        const int fired = now >= threshold[j];
        v[j] = zero ? (fired ? 0.0f : now) : now - (fired ? threshold[j] : 0.0f);
        h[j] = (int8_t)fired;
        sent += (uint32_t)fired;
    }
    return sent;
}

SPIKESEQ_HOT uint64_t spikeseq_lif_node(const spikeseq_layer *layer, uint32_t reset, const float *current, float *v,
                                        int8_t *h)
{
    if (reset == SPIKESEQ_TO_ZERO)
        return layer->leak ? node(layer, current, v, h, 1, 1) : node(layer, current, v, h, 0, 1);
    return layer->leak ? node(layer, current, v, h, 1, 0) : node(layer, current, v, h, 0, 0);
}
