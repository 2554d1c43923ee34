/* Input product of int8 weights: the layer that multiplies; its result is rounded to the units of the sums.
 *
 * Values become whole numbers of 16 bits in one unit for the element, a power of two: X_i = R(x_i / unit), |X_i| < 2^15,
 * unit = 2^-15 of the least power of two above max |x|. Sums of X_i w_ij are exact, MOST inputs at a time.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "internal.h"

enum { MOST = SPIKESEQ_MOST_INPUTS, BITS = 15, LEAST = -64 }; /* MOST 2^15 2^7 <= 2^30; exponent of the smallest unit */

/* exponent of the unit of x: |x_i| < 2^(exponent + 15) */
static int unit_of(const float *x, size_t inputs)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < inputs; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu; /* |x|; finite floats are ordered as their bits are */
        largest = bits > largest ? bits : largest;
    }
    const int exponent = (int)(largest >> 23) - 126 - BITS;
    return exponent > LEAST ? exponent : LEAST;
}

/* 2^exponent, -126 .. 127 */
static float power_of_two(int exponent)
{
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

static int16_t whole(float u)
{
    const int32_t k = (int32_t)(u < 0.0f ? u - 0.5f : u + 0.5f);
    return (int16_t)spikeseq_within(k, -INT16_MAX, INT16_MAX);
}

/* sums += unit drive */
SPIKESEQ_HOT static void take(float *restrict sums, const int32_t *restrict drive, size_t width, float unit)
{
    for (size_t j = 0; j < width; j++)
        sums[j] += (float)drive[j] * unit;
}

/* drive = R(sum) + bias (or 0), |R(sum)| <= most; NaN gives -most: no conversion is undefined, the caller refuses it */
static SPIKESEQ_INLINE int32_t rounded(float sum, float most, int32_t bias)
{
    float u = floorf(sum + 0.5f);
    u = u > -most ? u : -most;
    return (int32_t)(u < most ? u : most) + bias;
}

SPIKESEQ_HOT static void round_sums(const spikeseq_layer_int8 *layer, size_t width, float most, const float *restrict sums,
                                    int32_t *restrict drive)
{
    const float *restrict scale = layer->input_scale;
    const int32_t *restrict bias = layer->bias;
    for (size_t j = 0; j < width; j++)
        drive[j] = rounded(sums[j] * scale[j], most, bias ? bias[j] : 0);
}

SPIKESEQ_HOT void spikeseq_scale_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, float unit,
                                      int32_t *restrict drive)
{
    const float most = (float)limit;
    const float *restrict scale = layer->input_scale;
    const int32_t *restrict bias = layer->bias;
    for (size_t j = 0; j < width; j++)
        drive[j] = rounded((float)drive[j] * unit * scale[j], most, bias ? bias[j] : 0);
}

/* drive [width] = sum over inputs from .. stop of R(x units) rows */
static void whole_product(const spikeseq_layer_int8 *layer, size_t width, const float *x, float units, size_t from, size_t stop,
                          int32_t *drive)
{
    memset(drive, 0, width * sizeof *drive);
    for (size_t i = from; i < stop; i += 4) {
        const int8_t *const first = layer->input_rows + i * width, *rows[4] = {first, first, first, first};
        int16_t k[4] = {0}; /* what is not there is a factor 0 of a row that is */
        for (size_t l = i; l < i + 4 && l < stop; l++)
            k[l - i] = whole(x[l] * units), rows[l - i] = layer->input_rows + l * width;
        spikeseq_four_rows(drive, rows, width, k);
    }
}

/* 1 where every sum stays finite in float32 */
static int in_range(const int32_t *drive, size_t width, float unit)
{
    int32_t largest = 0;
    for (size_t j = 0; j < width; j++)
        largest = drive[j] > largest ? drive[j] : -drive[j] > largest ? -drive[j] : largest;
    return (float)largest * unit <= FLT_MAX;
}

int spikeseq_input_product_int8(const spikeseq_layer_int8 *layer, size_t width, int32_t limit, const float *x, float *sums,
                                int32_t *drive)
{
    const size_t inputs = layer->input_size;
    const int exponent = unit_of(x, inputs);
    const float unit = power_of_two(exponent), units = power_of_two(-exponent);
    if (inputs <= MOST) {
        whole_product(layer, width, x, units, 0, inputs, drive);
        const int finite = exponent < FLT_MAX_EXP - 31 || in_range(drive, width, unit);
        spikeseq_scale_int8(layer, width, limit, unit, drive);
        return finite;
    }
    memset(sums, 0, width * sizeof *sums);
    for (size_t from = 0; from < inputs; from += MOST) {
        whole_product(layer, width, x, units, from, inputs - from < MOST ? inputs : from + MOST, drive);
        take(sums, drive, width, unit);
    }
    round_sums(layer, width, (float)limit, sums, drive);
    return spikeseq_finite(sums, width);
}
