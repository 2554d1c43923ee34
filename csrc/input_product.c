/* Input product of the first layer: once for each element, row by row. */
#include "values.h"

SPIKESEQ_HOT void spikeseq_four_values(float *restrict sum, const float *const rows[4], size_t width, const float y[4])
{
    const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2], *restrict d = rows[3];
    const float p = y[0], q = y[1], r = y[2], s = y[3];
    for (size_t j = 0; j < width; j++)
        sum[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
}

SPIKESEQ_HOT void spikeseq_input_product(float *restrict drive, const float *restrict rows, const float *restrict bias,
                                         const float *restrict x, size_t inputs, size_t width)
{
    spikeseq_start(drive, bias, width);
    size_t i = 0;
    for (; i + 4 <= inputs; i += 4) {
        const float *const a = rows + i * width, *const four[4] = {a, a + width, a + 2 * width, a + 3 * width};
        spikeseq_four_values(drive, four, width, x + i);
    }
    for (; i < inputs; i++) {
        const float *restrict a = rows + i * width;
        const float p = x[i];
        for (size_t j = 0; j < width; j++)
            drive[j] += p * a[j];
    }
}

SPIKESEQ_HOT void spikeseq_input_product_units(float *restrict drive, spikeseq_rows rows, const float *restrict bias,
                                               const float *restrict x, size_t inputs, size_t width)
{
    const float *restrict unit = rows.unit;
    spikeseq_start(drive, bias, width);
    for (size_t i = 0; i < inputs; i++) {
        const int8_t *restrict row = rows.rows8 + i * width;
        const float value = x[i];
        for (size_t j = 0; j < width; j++)
            drive[j] += value * (unit[j] * (float)row[j]); /* the weight first: overflows where its float twin does */
    }
}
