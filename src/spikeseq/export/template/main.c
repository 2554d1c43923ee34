/* CSV of inputs (a file, or standard input), one element a line -> outputs, one line each. An empty line starts a new
 * sequence. Nothing is allocated, as on a microcontroller. */
#include "csv.h"
#include "model.h"

static _Alignas(64) unsigned char buffer[MODEL_STREAM_BYTES];
static float x[MODEL_INPUTS], y[MODEL_OUTPUTS];

int main(int argc, char **argv)
{
    spikeseq_stream stream;
    spikeseq_status status = spikeseq_check(&model);
    if (status == SPIKESEQ_OK)
        status = spikeseq_stream_init(&model, buffer, sizeof buffer, &stream);
    FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!file || status != SPIKESEQ_OK)
        return fprintf(stderr, "%s: %s\n", argv[0], file ? spikeseq_message(status) : "the input cannot be opened"), 1;
    enum csv_line kind;
    unsigned long line = 1;
    for (; (kind = csv_read(file, line, x, MODEL_INPUTS)) <= CSV_BLANK; line++) {
        if (kind == CSV_BLANK) {
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
    return kind == CSV_WRONG;
}
