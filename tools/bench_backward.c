/* What posemb bench --backward prints and records. */
#include "bench_backward.h"

#include "gradients.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *to_json(const uint32_t shape[3], uint64_t table_rows,
                       const struct bench_gradient *gradient)
{
    const bool verified = gradient->differing == 0;
    json_t *object = json_pack("{s:s, s:[i,i,i], s:I, s:I, s:b, s:I}", "gradients", gradient->name,
                               "shape", (int)shape[0], (int)shape[1], (int)shape[2], "table_rows",
                               (json_int_t)table_rows, "bytes", (json_int_t)gradient->bytes,
                               "verified", verified, "differing", (json_int_t)gradient->differing);

    if (verified)
        json_object_update_new(object,
                               json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:s}", "statistic",
                                         "min", "repeats", (int)gradient->repeats, "launches",
                                         (int)gradient->launches, "seconds", gradient->seconds,
                                         "median_seconds", gradient->median_seconds, "copy_seconds",
                                         gradient->copy_seconds, "ratio_to_copy", gradient->ratio,
                                         "copy", gradient->copy));
    return object;
}

static void print(const struct bench_gradient *gradient)
{
    if (gradient->differing > 0)
        printf("  %-24s MISMATCH: %zu values differ from the reference; no number\n",
               gradient->name, gradient->differing);
    else
        printf("  %-24s %10.1f us, a copy %10.1f us, / copy %5.2f\n", gradient->name,
               gradient->seconds * 1e6, gradient->copy_seconds * 1e6, gradient->ratio);
}

posemb_status bench_backward_report(struct bench *bench, const uint32_t shape[3],
                                    struct bench_records *records, bool *matches,
                                    posemb_error *error)
{
    struct bench_gradients result;
    char what[80];
    posemb_status status = bench_gradients_run(bench, shape, &result, error);

    *matches = true;
    if (status != POSEMB_OK)
        return status;
    snprintf(what, sizeof what, "gradients, [%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", shape[0],
             shape[1], shape[2]);
    if (result.skipped) {
        printf("  %s: not measured: %s\n", what, result.skipped);
        return bench_records_skip(records, what, result.skipped);
    }
    printf("  %s, a table of %" PRIu64 " rows\n", what, result.table_rows);
    for (size_t i = 0; status == POSEMB_OK && i < BENCH_GRADIENTS; i++) {
        const struct bench_gradient *gradient = &result.gradients[i];

        print(gradient);
        *matches = *matches && gradient->differing == 0;
        status =
            bench_records_add(records, "backward", to_json(shape, result.table_rows, gradient));
    }
    fflush(stdout);
    return status;
}
