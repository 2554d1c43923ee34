/* Node (n, t) of streams in integers: comparisons, shifts and additions; as streams_node.c. */
#include "internal.h"

/* `leaky` is a constant of each instance; neurons [4][H]: v of i, f, o, and m */
static SPIKESEQ_INLINE uint64_t node(const spikeseq_layer_int8 *layer, float shift, const int32_t *restrict current,
                                     int32_t *restrict neurons, int32_t *restrict c, int8_t *restrict h, int leaky)
{
    const size_t hidden = layer->hidden_size;
    const int32_t *restrict threshold = layer->threshold, *restrict offset = layer->offset, *restrict gam = layer->clip;
    const uint32_t *restrict leak = layer->leak;
    const uint8_t *restrict extra = layer->extra, *restrict candidate = layer->candidate;
    const int32_t half = shift > 0.0f ? SPIKESEQ_ONE / 2 : 0;
    int32_t *restrict m = neurons + 3 * hidden;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++) {
        int32_t fired[3];
        for (size_t k = 0; k < 3; k++) {
            const size_t g = k * hidden + j;
            const int32_t drive = spikeseq_left(current[(k < 2 ? k : 3) * hidden + j], extra[g]) + offset[g];
            const int32_t now = (leaky ? spikeseq_leaked(neurons[g], leak[g] >> 8, 8) : neurons[g]) + drive;
            fired[k] = -(now >= threshold[g]); /* all bits, or none */
            neurons[g] = now - (threshold[g] & fired[k]);
        }
        const int32_t a_g = current[2 * hidden + j], most = (gam[j] >> candidate[j]) + 1;
        const int32_t g = spikeseq_within(spikeseq_left(spikeseq_within(a_g, -most, most), candidate[j]), -gam[j], gam[j]);
        const int32_t sum = (c[j] & fired[1]) + (g & fired[0]);
        const int32_t next = spikeseq_within(sum, -SPIKESEQ_LARGEST_C, SPIKESEQ_LARGEST_C);
        const int32_t out = m[j] + (spikeseq_within(next, -SPIKESEQ_ONE, SPIKESEQ_ONE) & fired[2]);
        const int32_t spike = (out + half >= SPIKESEQ_ONE) - (half - out >= SPIKESEQ_ONE);
        c[j] = next;
        m[j] = out - spikeseq_left(spike, SPIKESEQ_FRACTION);
        h[j] = (int8_t)spike;
        sent += (uint32_t)(spike != 0);
    }
    return sent;
}

SPIKESEQ_HOT uint64_t spikeseq_streams_node_int8(const spikeseq_layer_int8 *layer, float shift, const int32_t *current,
                                                 int32_t *neurons, int32_t *c, int8_t *h)
{
    if (layer->leak)
        return node(layer, shift, current, neurons, c, h, 1);
    return node(layer, shift, current, neurons, c, h, 0);
}
