/* See csv.h. */
#include "csv.h"

#include <stdlib.h>
#include <string.h>

enum csv_line csv_read(FILE *file, unsigned long line, float *x, unsigned long inputs)
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
            return c == EOF ? CSV_END : CSV_BLANK;
        const float value = strtof(field, &end);
        if (full || end == field || end + strspn(end, " \t\r") != field + len)
            return fprintf(stderr, "line %lu: value %lu, '%s', is not a number\n", line, count + 1, field), CSV_WRONG;
        if (count < inputs)
            x[count] = value;
        count++, len = 0;
        if (last && count != inputs)
            return fprintf(stderr, "line %lu: %lu values, the model takes %lu\n", line, count, inputs), CSV_WRONG;
        if (last)
            return CSV_VALUES;
    }
}
