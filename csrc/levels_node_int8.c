/* Node n of a gated current at T levels in integers: comparisons, shifts and additions; as levels_node.c.
 *
 * T is a constant of each instance, so that the loops over levels and bits unroll and the loop over units is vectorised.
 */
#include "internal.h"

static SPIKESEQ_INLINE uint64_t node(const spikeseq_layer_int8 *layer, uint32_t bits, int is_signed,
                                     const int32_t *restrict current, int32_t *restrict state, int8_t *restrict k)
{
    const size_t hidden = layer->hidden_size;
    const uint32_t steps = 1u << bits;
    const int32_t *restrict drive = current + hidden, *restrict levels = layer->levels, *restrict gam = layer->clip;
    const uint8_t *restrict candidate = layer->candidate;
    int32_t *restrict kept = state, *restrict rest = state + hidden;
    uint32_t sent = 0;
    for (size_t j = 0; j < hidden; j++) {
        const int32_t at = spikeseq_left(current[j], bits), most = (gam[j] >> candidate[j]) + 1;
        int32_t open = 0;
        for (uint32_t level = 0; level < steps; level++)
            open += at >= levels[level * hidden + j];
        /* in units of 2^-16; clipped first where the shift would overflow */
        const int32_t wide = spikeseq_left(spikeseq_within(drive[j], -most, most), candidate[j]);
        const int32_t c = spikeseq_within(wide, is_signed ? -gam[j] : 0, gam[j]);
        const int32_t both = spikeseq_gated((int32_t)steps - open, c, bits) + spikeseq_gated(open, kept[j], bits);
        /* towards 0: what is left of a current must not stay for ever, e would add it up */
        const int32_t next = both < 0 ? -(-both >> bits) : both >> bits, sum = rest[j] + next;
        const int32_t size = (spikeseq_left(sum < 0 ? -sum : sum, bits) + SPIKESEQ_ONE / 2) >> SPIKESEQ_FRACTION;
        const int32_t few = size < (int32_t)steps ? size : (int32_t)steps;
        const int32_t packet = sum < 0 ? (is_signed ? -few : 0) : few;
        kept[j] = next;
        rest[j] = sum - spikeseq_left(packet, SPIKESEQ_FRACTION - bits);
        k[j] = (int8_t)packet;
        sent += (uint32_t)(packet < 0 ? -packet : packet);
    }
    return sent;
}

SPIKESEQ_HOT uint64_t spikeseq_levels_node_int8(const spikeseq_layer_int8 *layer, const spikeseq_model *model,
                                                const int32_t *current, int32_t *state, int8_t *k)
{
    const int is_signed = model->is_signed != 0;
    switch (model->time_steps) {
    case 1: return node(layer, 0, is_signed, current, state, k);
    case 2: return node(layer, 1, is_signed, current, state, k);
    case 4: return node(layer, 2, is_signed, current, state, k);
    case 8: return node(layer, 3, is_signed, current, state, k);
    default: return node(layer, 4, is_signed, current, state, k);
    }
}
