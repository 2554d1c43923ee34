/* Node (n, t) of the grid in integers: comparisons, shifts and additions; equations in grid_node.c.
 *
 * T is a constant of each instance, so that the loops over levels and bits unroll and the loop over units is vectorised.
 * Right shifts of negative numbers are arithmetic, as in every compiler of today.
 */
#include "internal.h"

static SPIKESEQ_INLINE void cell(const spikeseq_layer_int8 *layer, uint32_t bits, uint32_t t_bits,
                               const int32_t *restrict membrane, int32_t *restrict c, int32_t *restrict y)
{
    const size_t hidden = layer->hidden_size;
    const uint32_t steps = 1u << bits, rest = bits - t_bits;
    const int32_t *restrict a_i = membrane, *restrict a_f = a_i + hidden, *restrict a_g = a_f + hidden;
    const int32_t *restrict a_o = a_g + hidden, *restrict levels = layer->levels, *restrict gam = layer->clip;
    const uint8_t *restrict candidate = layer->candidate;
    for (size_t j = 0; j < hidden; j++) {
        const int32_t i_at = spikeseq_left(a_i[j], rest), f_at = spikeseq_left(a_f[j], rest), o_at = spikeseq_left(a_o[j], rest);
        int32_t i = 0, f = 0, o = 0;
        for (uint32_t k = 0; k < steps; k++) {
            i += i_at >= levels[3 * k * hidden + j];
            f += f_at >= levels[(3 * k + 1) * hidden + j];
            o += o_at >= levels[(3 * k + 2) * hidden + j];
        }
        /* A_g / t in units of 2^-16; clipped first where the shift would overflow */
        const uint32_t up = candidate[j] - t_bits;
        const int32_t most = (gam[j] >> up) + 1;
        const int32_t g = spikeseq_within(spikeseq_left(spikeseq_within(a_g[j], -most, most), up), -gam[j], gam[j]);
        const int32_t sum = spikeseq_gated(f, c[j], bits) + spikeseq_gated(i, g, bits) + (int32_t)(steps >> 1);
        const int32_t next = spikeseq_within(sum >> bits, -SPIKESEQ_LARGEST_C, SPIKESEQ_LARGEST_C);
        c[j] = next;
        y[j] = spikeseq_gated(o, spikeseq_within(next, -SPIKESEQ_ONE, SPIKESEQ_ONE), bits);
    }
}

SPIKESEQ_HOT void spikeseq_grid_cell_int8(const spikeseq_layer_int8 *layer, uint32_t steps, uint32_t t,
                                          const int32_t *restrict membrane, int32_t *restrict c, int32_t *restrict y)
{
    const uint32_t t_bits = spikeseq_log2(t);
    switch (steps) {
    case 1: cell(layer, 0, t_bits, membrane, c, y); break;
    case 2: cell(layer, 1, t_bits, membrane, c, y); break;
    case 4: cell(layer, 2, t_bits, membrane, c, y); break;
    case 8: cell(layer, 3, t_bits, membrane, c, y); break;
    default: cell(layer, 4, t_bits, membrane, c, y); break;
    }
}

/* y [2H]: T y of the last node that spoke, then t T y, which grows by T y where a replica coasts; units of 2^-16 */
SPIKESEQ_HOT uint64_t spikeseq_grid_spikes_int8(uint32_t steps, uint32_t t, float shift, int32_t limit, size_t hidden,
                                                int32_t *restrict y, int32_t *restrict emitted, int8_t *restrict h)
{
    const uint32_t down = SPIKESEQ_FRACTION + spikeseq_log2(steps), up = spikeseq_log2(t);
    const int32_t offset = shift > 0.0f ? 1 << (down - 1) : 0;
    const int speaks = (t & (t - 1)) == 0;
    int32_t *restrict scaled = y + hidden;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++)
        scaled[j] = speaks ? spikeseq_left(y[j], up) : scaled[j] + y[j];
    for (size_t j = 0; j < hidden; j++) {
        const int32_t u = scaled[j], size = ((u < 0 ? -u : u) + offset) >> down;
        const int32_t r = spikeseq_within((u < 0 ? -size : size) - emitted[j], -limit, limit);
        emitted[j] += r;
        h[j] = (int8_t)r;
        sent += (uint32_t)(r < 0 ? -r : r);
    }
    return sent;
}
