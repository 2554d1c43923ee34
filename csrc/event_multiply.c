/* Event multiply: a multi-bit value that is not 0 adds its multiple of a row; the others cost nothing. Four rows a pass, as
 * in event_add.c.
 */
#include "internal.h"

SPIKESEQ_HOT static void four_rows(float *restrict sum, const float *restrict rows, size_t width, const uint32_t *restrict list,
                                   const float *restrict y)
{
    const float *restrict a = rows + list[0] * width, *restrict b = rows + list[1] * width;
    const float *restrict c = rows + list[2] * width, *restrict d = rows + list[3] * width;
    for (size_t j = 0; j < width; j++)
        sum[j] += (y[0] * a[j] + y[1] * b[j]) + (y[2] * c[j] + y[3] * d[j]);
}

SPIKESEQ_HOT static void one_row(float *restrict sum, const float *restrict row, size_t width, float y)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += y * row[j];
}

static void in_floats(float *sum, const float *rows, size_t width, spikeseq_code code, const int8_t *k, const uint32_t *list,
                      size_t count)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        float y[4];
        for (size_t r = 0; r < 4; r++)
            y[r] = spikeseq_value(code, k[list[e + r]]);
        four_rows(sum, rows, width, list + e, y);
    }
    for (; e < count; e++)
        one_row(sum, rows + list[e] * width, width, spikeseq_value(code, k[list[e]]));
}

/* whole [width] += four rows; a factor 0 of row list[0] where there are fewer */
SPIKESEQ_HOT static void four_rows_int8(int32_t *restrict whole, const int8_t *restrict rows, size_t width,
                                        const uint32_t *restrict list, const int8_t *restrict k, size_t there)
{
    const int8_t *restrict a = rows + list[0] * width, *restrict b = rows + list[there > 1 ? 1 : 0] * width;
    const int8_t *restrict c = rows + list[there > 2 ? 2 : 0] * width, *restrict d = rows + list[there > 3 ? 3 : 0] * width;
    const int32_t p = k[list[0]], q = there > 1 ? k[list[1]] : 0, r = there > 2 ? k[list[2]] : 0, s = there > 3 ? k[list[3]] : 0;
    for (size_t j = 0; j < width; j++)
        whole[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
}

SPIKESEQ_HOT static void scaled(float *restrict sum, const int32_t *restrict whole, const float *restrict unit, float level,
                                size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += (float)whole[j] * (unit[j] * level);
}

uint64_t spikeseq_event_multiply(float *sum, spikeseq_rows rows, size_t width, spikeseq_code code, const int8_t *k,
                                 size_t inputs, uint32_t *list, int32_t *whole)
{
    size_t count = 0;
    for (size_t j = 0; j < inputs; j++) { /* branch-free: the next hit overwrites a miss */
        list[count] = (uint32_t)j;
        count += k[j] != 0;
    }
    if (!rows.rows8) {
        in_floats(sum, rows.rows, width, code, k, list, count);
        return count;
    }
    spikeseq_start(whole, NULL, width);
    for (size_t e = 0; e < count; e += 4)
        four_rows_int8(whole, rows.rows8, width, list + e, k, count - e);
    scaled(sum, whole, rows.unit, code.reach / code.scale, width);
    return count;
}
