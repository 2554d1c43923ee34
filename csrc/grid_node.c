/* Node (n, t) of the grid: gates from the running mean of the current, cell, output, delta-coded spikes.
 *
 * Every operation is the model's, in its order, in float32: equal membranes give equal bits. gcc 12 -O3 vectorises both
 * loops where the CPU has a vector floor (the clones do; plain x86-64 calls floorf).
 */
#include <math.h>

#include "internal.h"

/* Q_T(hs(a)) */
static inline float gate(float a, float threshold, float steps, float share, float shift)
{
    return spikeseq_between(floorf(steps * (a / threshold + 0.5f) + shift), 0.0f, steps) * share;
}

SPIKESEQ_HOT void spikeseq_grid_cell(const spikeseq_layer *layer, uint32_t steps, uint32_t t, float shift,
                                     const float *restrict membrane, float *restrict c, float *restrict y)
{
    const size_t hidden = layer->hidden_size;
    const float levels = (float)steps, share = 1.0f / levels, mean = 1.0f / (float)t; /* powers of two: exact */
    const float *restrict v_i = layer->threshold, *restrict v_f = v_i + hidden, *restrict v_o = v_f + hidden;
    const float *restrict a_i = membrane, *restrict a_f = a_i + hidden, *restrict a_g = a_f + hidden;
    const float *restrict a_o = a_g + hidden, *restrict gam = layer->clip;
    for (size_t j = 0; j < hidden; j++) {
        const float i = gate(a_i[j] * mean, v_i[j], levels, share, shift);
        const float f = gate(a_f[j] * mean, v_f[j], levels, share, shift);
        const float o = gate(a_o[j] * mean, v_o[j], levels, share, shift);
        const float g = spikeseq_between(a_g[j] * mean, -gam[j], gam[j]);
        const float next = f * c[j] + i * g;
        c[j] = next;
        y[j] = o * spikeseq_between(next, -1.0f, 1.0f);
    }
}

SPIKESEQ_HOT uint64_t spikeseq_grid_spikes(uint32_t t, float shift, float limit, size_t hidden,
                                           const float *restrict y, float *restrict emitted, int8_t *restrict h)
{
    const float scale = (float)t;
    uint32_t sent = 0; /* at most 31 for each of 2^16 units */
    for (size_t j = 0; j < hidden; j++) {
        const float u = scale * y[j], size = floorf(fabsf(u) + shift);
        const float r = spikeseq_between((u < 0.0f ? -size : size) - emitted[j], -limit, limit);
        const int32_t k = (int32_t)r;
        emitted[j] += r;
        h[j] = (int8_t)k;
        sent += (uint32_t)(k < 0 ? -k : k);
    }
    return sent;
}
