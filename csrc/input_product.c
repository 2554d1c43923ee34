/* Input product of the first layer: once for each element, row by row. */
#include "internal.h"

SPIKESEQ_HOT void spikeseq_input_product(float *restrict drive, const float *restrict rows, const float *restrict bias,
                                         const float *restrict x, size_t inputs, size_t width)
{
    spikeseq_start(drive, bias, width);
    size_t i = 0;
    for (; i + 4 <= inputs; i += 4) {
        const float *restrict a = rows + i * width, *restrict b = a + width;
        const float *restrict c = b + width, *restrict d = c + width;
        const float p = x[i], q = x[i + 1], r = x[i + 2], s = x[i + 3];
        for (size_t j = 0; j < width; j++)
            drive[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
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
    spikeseq_start(drive, NULL, width);
    for (size_t i = 0; i < inputs; i++) {
        const int8_t *restrict row = rows.rows8 + i * width;
        const float value = x[i];
        for (size_t j = 0; j < width; j++)
            drive[j] += value * (float)row[j];
    }
    for (size_t j = 0; j < width; j++)
        drive[j] = drive[j] * rows.unit[j] + (bias ? bias[j] : 0.0f);
}
