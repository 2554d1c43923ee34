/* Coded input and int8 weights: integers throughout; as input_code.c. Sums are in units of 2^-r_j until they are shifted. */
#include <string.h>

#include "internal.h"

void spikeseq_code_product_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const int8_t *k, int32_t *drive)
{
    const size_t inputs = layer->input_size;
    memset(drive, 0, width * sizeof *drive);
    for (size_t i = 0; i < inputs; i += 4) {
        const int8_t *const first = layer->input_rows + i * width, *rows[4] = {first, first, first, first};
        int16_t four[4] = {0};
        for (size_t l = i; l < i + 4 && l < inputs; l++)
            four[l - i] = k[l], rows[l - i] = layer->input_rows + l * width;
        spikeseq_four_rows(drive, rows, width, four);
    }
    spikeseq_shift_int8(layer, width, limit, drive);
}

SPIKESEQ_HOT uint64_t spikeseq_delta_int8(int32_t *restrict held, const int8_t *restrict rows, const int8_t *restrict now,
                                          const int8_t *restrict before, size_t inputs, size_t width)
{
    uint64_t sent = 0;
    for (size_t i = 0; i < inputs; i++) {
        const int change = now[i] - before[i];
        const int8_t *restrict row = rows + i * width;
        if (!change)
            continue;
        sent += (uint64_t)(change < 0 ? -change : change);
        for (size_t j = 0; j < width; j++)
            held[j] += (int16_t)(change * row[j]); /* at most 254 times 128 */
    }
    return sent;
}

SPIKESEQ_HOT void spikeseq_shift_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, int32_t *restrict drive)
{
    const int8_t *restrict shift = layer->input_shift;
    for (size_t j = 0; j < width; j++) {
        const int up = shift[j] > 0 ? shift[j] : 0, down = shift[j] < 0 ? -shift[j] : 0, most = limit >> up;
        int32_t sum = (drive[j] + (down ? 1 << (down - 1) : 0)) >> down; /* |drive| <= 2^30, half a unit as much: fits */
        sum = sum > -most ? sum : -most;
        drive[j] = spikeseq_left(sum < most ? sum : most, (uint32_t)up);
    }
    if (layer->bias)
        spikeseq_add_int8(drive, layer->bias, width);
}
