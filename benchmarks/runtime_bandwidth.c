/* Reads an array once, front to back, as fast as one core can: the sum of its words.
 *
 * In `ways` equal parts side by side, because a core keeps more cache lines in flight over several streams than over one
 * (the runtime adds four rows at a time for the same reason). Integers: the order of a sum of floats is fixed, and slow.
 */
#include <stddef.h>
#include <stdint.h>

enum { LANES = 8, SUMS = 8 };
typedef int32_t lanes __attribute__((vector_size(LANES * sizeof(int32_t))));

static inline __attribute__((always_inline)) int32_t sum(const int32_t *words, size_t count, const size_t ways)
{
    const size_t each = SUMS / ways, stride = each * LANES, part = count / ways / stride * stride;
    lanes sums[SUMS] = {{0}};
    for (size_t j = 0; j < part; j += stride)
        for (size_t w = 0; w < ways; w++)
            for (size_t k = 0; k < each; k++)
                sums[w * each + k] += *(const lanes *)(const void *)(words + w * part + j + k * LANES);
    int32_t total = 0;
    for (size_t k = 0; k < SUMS; k++)
        for (size_t i = 0; i < LANES; i++)
            total += sums[k][i];
    return total;
}

/* words: address a multiple of 32; read so many times over. GCC and Clang: the barrier makes each pass read again */
int32_t read_words(const int32_t *words, size_t count, int ways, size_t times)
{
    int32_t total = 0;
    for (size_t n = 0; n < times; n++) {
        total += ways == 1 ? sum(words, count, 1) : ways == 4 ? sum(words, count, 4) : sum(words, count, 8);
        __asm__ volatile("" ::: "memory");
    }
    return total;
}
