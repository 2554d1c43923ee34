/* CSV of inputs (a file, or standard input), one element a line -> outputs, one line each. An empty line starts a new
 * sequence. Nothing is allocated, as on a microcontroller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum kind { VALUES, BLANK, END, WRONG };

/* one line of any length -> x */
static enum kind read_line(FILE *file, unsigned long line, float *x)
{
    char field[64], *end;
    size_t len = 0;
    unsigned long count = 0;
    for (;;) {
        const int c = getc(file), last = c == '\n' || c == EOF;
        if (!last && c != ',' && len < sizeof field - 1) {
            field[len++] = (char)c;
            continue;
        }
        const int full = len == sizeof field - 1;
        field[len] = '\0';
        if (last && !count && strspn(field, " \t\r") == len)
            return c == EOF ? END : BLANK;
        const float value = strtof(field, &end);
        if (full || end == field || end + strspn(end, " \t\r") != field + len)
            return fprintf(stderr, "line %lu: value %lu, '%s', is not a number\n", line, count + 1, field), WRONG;
        if (count < MODEL_INPUTS)
            x[count] = value;
        count++, len = 0;
        if (last && count != MODEL_INPUTS)
            return fprintf(stderr, "line %lu: %lu values, the model takes %d\n", line, count, MODEL_INPUTS), WRONG;
        if (last)
            return VALUES;
    }
}

int main(int argc, char **argv)
{
    static _Alignas(64) unsigned char buffer[MODEL_STREAM_BYTES];
    static float x[MODEL_INPUTS], y[MODEL_OUTPUTS];
    spikeseq_stream stream;
    spikeseq_status status = spikeseq_check(&model);
    if (status == SPIKESEQ_OK)
        status = spikeseq_stream_init(&model, buffer, sizeof buffer, &stream);
    FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!file || status != SPIKESEQ_OK)
        return fprintf(stderr, "%s: %s\n", argv[0], file ? spikeseq_message(status) : "the input cannot be opened"), 1;
    unsigned long line = 1;
    for (enum kind kind; (kind = read_line(file, line, x)) != END; line++) {
        if (kind == WRONG)
            return 1;
        if (kind == BLANK) {
            spikeseq_reset(&stream);
            continue;
        }
        status = spikeseq_step(&stream, x, MODEL_INPUTS, y, MODEL_OUTPUTS);
        if (status != SPIKESEQ_OK)
            return fprintf(stderr, "line %lu: %s\n", line, spikeseq_message(status)), 1;
        for (int o = 0; o < MODEL_OUTPUTS; o++)
            printf("%.9g%c", (double)y[o], o + 1 < MODEL_OUTPUTS ? ',' : '\n');
    }
    if (ferror(file) || fflush(stdout))
        return fprintf(stderr, "line %lu: the input cannot be read or the output not written\n", line), 1;
    return 0;
}
