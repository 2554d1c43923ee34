/* Input product of int8 weights: the layer that multiplies; its result is rounded to the units of the sums. */
#include <math.h>
#include <string.h>

#include "internal.h"

SPIKESEQ_HOT void spikeseq_input_product_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const float *restrict x,
                                              float *restrict sums, int32_t *restrict drive)
{
    const size_t inputs = layer->input_size;
    memset(sums, 0, width * sizeof *sums);
    size_t i = 0;
    for (; i + 4 <= inputs; i += 4) {
        const int8_t *restrict a = layer->input_rows + i * width, *restrict b = a + width;
        const int8_t *restrict c = b + width, *restrict d = c + width;
        const float p = x[i], q = x[i + 1], r = x[i + 2], s = x[i + 3];
        for (size_t j = 0; j < width; j++)
            sums[j] += (p * (float)a[j] + q * (float)b[j]) + (r * (float)c[j] + s * (float)d[j]);
    }
    for (; i < inputs; i++) {
        const int8_t *restrict a = layer->input_rows + i * width;
        const float p = x[i];
        for (size_t j = 0; j < width; j++)
            sums[j] += p * (float)a[j];
    }
    spikeseq_scale_int8(layer, width, limit, sums, drive);
}

SPIKESEQ_HOT void spikeseq_scale_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const float *restrict sums,
                                      int32_t *restrict drive)
{
    const float most = (float)limit;
    const float *restrict scale = layer->input_scale;
    for (size_t j = 0; j < width; j++) {
        float u = floorf(sums[j] * scale[j] + 0.5f);
        u = u > -most ? u : -most; /* a NaN too: no conversion is undefined; the caller refuses it */
        drive[j] = (int32_t)(u < most ? u : most);
    }
    if (layer->bias)
        spikeseq_add_int8(drive, layer->bias, width);
}
