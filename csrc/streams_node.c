/* Node (n, t) of streams: IF or LIF gates, cell, ternary spikes; equations in spikeseq.h.
 *
 * Every operation is the model's, in its order, in float32: equal currents give equal bits.
 */
#include <math.h>

#include "internal.h"

/* one gate: v [H] -> fired, 0 or 1; leak NULL: 1 */
static SPIKESEQ_INLINE float gate(float current, float threshold, float offset, float leaked, float *v)
{
    const float now = leaked + ((current + threshold / 2.0f) + offset), fired = now >= threshold ? 1.0f : 0.0f;
    *v = now - threshold * fired;
    return fired;
}

/* `leaky` is a constant of each instance; neurons [4][H]: v of i, f, o, and m */
static SPIKESEQ_INLINE uint64_t node(const spikeseq_layer *layer, float shift, const float *restrict current,
                                     float *restrict neurons, float *restrict c, int8_t *restrict h, int leaky)
{
    const size_t hidden = layer->hidden_size;
    const float *restrict threshold = layer->threshold, *restrict offset = layer->offset, *restrict leak = layer->leak;
    const float *restrict gam = layer->clip;
    float *restrict m = neurons + 3 * hidden;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++) {
        float fired[3];
        for (size_t k = 0; k < 3; k++) {
            const size_t g = k * hidden + j;
            const float leaked = leaky ? leak[g] * neurons[g] : neurons[g];
            fired[k] = gate(current[(k < 2 ? k : 3) * hidden + j], threshold[g], offset[g], leaked, &neurons[g]);
        }
        const float next = fired[1] * c[j] + fired[0] * spikeseq_between(current[2 * hidden + j], -gam[j], gam[j]);
        const float out = m[j] + fired[2] * spikeseq_between(next, -1.0f, 1.0f), size = floorf(fabsf(out) + shift);
        const float one = size < 1.0f ? size : 1.0f, spike = out < 0.0f ? -one : one;
        c[j] = next;
        m[j] = out - spike;
        h[j] = (int8_t)spike;
        sent += (uint32_t)one;
    }
    return sent;
}

SPIKESEQ_HOT uint64_t spikeseq_streams_node(const spikeseq_layer *layer, float shift, const float *current, float *neurons,
                                            float *c, int8_t *h)
{
    if (layer->leak)
        return node(layer, shift, current, neurons, c, h, 1);
    return node(layer, shift, current, neurons, c, h, 0);
}
