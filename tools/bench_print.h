/* What posemb bench prints for people: at most 100 columns. */
#ifndef POSEMB_BENCH_PRINT_H
#define POSEMB_BENCH_PRINT_H

#include "bench.h"

void bench_print_header(void);
void bench_print_case(const struct bench_case *bench_case, const struct bench_result *result);
void bench_print_group(const char *title, const uint32_t shape[3], const struct bench_group *group);
void bench_print_accuracy(const struct bench_accuracy *accuracy);

/* On a terminal alone: "\r  measuring ... (3 of 27)". NULL: it is done, the line is cleared. */
void bench_print_progress(const char *what, size_t number, size_t count);

#endif
