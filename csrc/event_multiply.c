/* Event multiply: a multi-bit value that is not 0 adds its multiple of a row; the others cost nothing. Four rows a pass, as
 * in event_add.c.
 */
#include "internal.h"

SPIKESEQ_HOT static void rows_into(float *restrict sum, const float *restrict rows, size_t width, const uint32_t *restrict list,
                                   const float *restrict y)
{
    const float *restrict a = rows + list[0] * width, *restrict b = rows + list[1] * width;
    const float *restrict c = rows + list[2] * width, *restrict d = rows + list[3] * width;
    for (size_t j = 0; j < width; j++)
        sum[j] += (y[0] * a[j] + y[1] * b[j]) + (y[2] * c[j] + y[3] * d[j]);
}

SPIKESEQ_HOT static void row_into(float *restrict sum, const float *restrict row, size_t width, float y)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += y * row[j];
}

uint64_t spikeseq_event_multiply(float *sum, const float *rows, size_t width, spikeseq_code code, const int8_t *k,
                                 size_t inputs, uint32_t *list)
{
    size_t count = 0, e = 0;
    for (size_t j = 0; j < inputs; j++) { /* branch-free: the next hit overwrites a miss */
        list[count] = (uint32_t)j;
        count += k[j] != 0;
    }
    for (; e + 4 <= count; e += 4) {
        float y[4];
        for (size_t r = 0; r < 4; r++)
            y[r] = spikeseq_value(code, k[list[e + r]]);
        rows_into(sum, rows, width, list + e, y);
    }
    for (; e < count; e++)
        row_into(sum, rows + list[e] * width, width, spikeseq_value(code, k[list[e]]));
    return count;
}
