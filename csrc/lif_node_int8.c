/* LIF neurons of one time step in integers; as lif_node.c. */
#include "internal.h"

/* `leaky` and `zero` are constants of each instance */
static SPIKESEQ_INLINE uint64_t node(const spikeseq_layer_int8 *layer, const int32_t *restrict current,
                                     int32_t *restrict v, int8_t *restrict h, int leaky, int zero)
{
    const size_t hidden = layer->hidden_size;
    const int32_t *restrict threshold = layer->threshold;
    const uint32_t *restrict leak = layer->leak;
    const uint8_t *restrict extra = layer->extra;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++) {
        const int32_t left = leaky ? spikeseq_leaked(v[j], leak[j], 16) : v[j];
        const int32_t sum = left + spikeseq_left(current[j], extra[j]);
        const int32_t now = spikeseq_within(sum, -SPIKESEQ_LARGEST_NEURON, SPIKESEQ_LARGEST_NEURON);
        const int32_t fired = -(now >= threshold[j]); /* all bits, or none */
        v[j] = zero ? now & ~fired : now - (threshold[j] & fired);
        h[j] = (int8_t)-fired;
        sent += (uint32_t)-fired;
    }
    return sent;
}

SPIKESEQ_HOT uint64_t spikeseq_lif_node_int8(const spikeseq_layer_int8 *layer, uint32_t reset, const int32_t *current,
                                             int32_t *v, int8_t *h)
{
    if (reset == SPIKESEQ_TO_ZERO)
        return layer->leak ? node(layer, current, v, h, 1, 1) : node(layer, current, v, h, 0, 1);
    return layer->leak ? node(layer, current, v, h, 1, 0) : node(layer, current, v, h, 0, 0);
}
