/* Numbers from text for main.c; a device that gets its inputs elsewhere needs neither. */
#ifndef CSV_H
#define CSV_H

#include <stdio.h>

enum csv_line { CSV_VALUES, CSV_BLANK, CSV_END, CSV_WRONG };

/* One line of any length -> x [inputs]. CSV_WRONG: not so many numbers; stderr says which line and value. */
enum csv_line csv_read(FILE *file, unsigned long line, float *x, unsigned long inputs);

#endif
