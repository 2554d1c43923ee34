/* Coded input: x -> integers k, and the running sum of what changed; equations in spikeseq.h. */
#include <math.h>

#include "internal.h"

SPIKESEQ_HOT void spikeseq_encode(const float *restrict x, const float *restrict step, int8_t *restrict k, size_t inputs)
{
    for (size_t i = 0; i < inputs; i++) {
        const float u = x[i] / step[i];
        float size = floorf(fabsf(u) + 0.5f);
        size = size < 127.0f ? size : 127.0f; /* u may be infinite, not NaN: step > 0 */
        k[i] = (int8_t)(u < 0.0f ? -size : size);
    }
}

SPIKESEQ_HOT uint64_t spikeseq_delta(double *restrict held, const float *restrict rows, const int8_t *restrict now,
                                     const int8_t *restrict before, size_t inputs, size_t width)
{
    uint64_t sent = 0;
    for (size_t i = 0; i < inputs; i++) {
        const int change = now[i] - before[i];
        const float *restrict row = rows + i * width;
        if (!change)
            continue;
        sent += (uint64_t)(change < 0 ? -change : change);
        for (size_t j = 0; j < width; j++)
            held[j] += (double)change * (double)row[j];
    }
    return sent;
}

SPIKESEQ_HOT void spikeseq_held_drive(float *restrict drive, const double *restrict held, const float *restrict bias,
                                      size_t width)
{
    for (size_t j = 0; j < width; j++)
        drive[j] = (float)held[j];
    if (bias)
        spikeseq_add(drive, bias, width);
}
