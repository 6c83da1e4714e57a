/* The sinusoid nearest to each channel of a stored table, whatever made it. */
#ifndef POSEMB_NEAREST_H
#define POSEMB_NEAREST_H

#include <stdbool.h>
#include <stdint.h>

/* mean + cosine * cos(frequency * r) + sine * sin(frequency * r), for row r = 0, 1, ... */
struct nearest {
    double mean;
    double cosine;
    double sine;
    double frequency; /* radians per row, at most pi */
    double share; /* of the channel's variance that this has, 0 ... 1; NaN where all its rows are
                     the same, or fewer than four are numbers: then it is the mean of these, or
                     NaN, and no more */
};

/* One for each channel of table[rows, dim], `rows` >= 1, over the rows where it is a finite number:
 * least squares over amplitude, phase and
 * mean; the frequency is the best of those with half a turn or more over the table. False: there is
 * no memory. */
bool nearest_sinusoids(const float *table, uint64_t rows, uint32_t dim, struct nearest *nearest);

double nearest_value(const struct nearest *nearest, uint64_t row);

/* The part of the whole table's variance within channels that they have; NaN as above. */
double nearest_share(const float *table, uint64_t rows, uint32_t dim,
                     const struct nearest *nearest);

#endif
