/* What posemb bench --devices prints and records. */
#include "bench_devices.h"

#include "devices.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *to_json(const uint32_t shape[3], enum bench_devices_kind kind,
                       const struct bench_devices *result)
{
    const bool verified = result->differing == 0;
    json_t *object = json_pack("{s:s, s:i, s:[i,i,i], s:b}", "of", bench_devices_names[kind],
                               "count", (int)result->count, "shape", (int)shape[0], (int)shape[1],
                               (int)shape[2], "verified", verified);
    json_t *weights = json_array();

    for (uint32_t k = 0; k < result->count; k++)
        json_array_append_new(weights, json_real(result->weights[k]));
    json_object_set_new(object, "weights", weights);
    if (verified)
        json_object_update_new(
            object, json_pack("{s:s, s:i, s:i, s:f, s:f, s:f}", "statistic", "min", "repeats",
                              (int)result->repeats, "launches", (int)result->launches, "seconds",
                              result->seconds, "single_seconds", result->single_seconds, "speedup",
                              result->single_seconds / result->seconds));
    if (verified && result->whole_seconds > 0.0)
        json_object_set_new(object, "whole_seconds", json_real(result->whole_seconds));
    return object;
}

static void print(const struct bench_devices *result)
{
    if (result->differing > 0) {
        printf("MISMATCH: %zu values differ from the reference; no number\n", result->differing);
        return;
    }
    printf("%" PRIu32 " devices %.1f us, the fastest alone %.1f us: %.2f times as fast\n",
           result->count, result->seconds * 1e6, result->single_seconds * 1e6,
           result->single_seconds / result->seconds);
    if (result->whole_seconds > 0.0)
        printf("    the whole device %.1f us\n", result->whole_seconds * 1e6);
}

static posemb_status report_kind(posemb_session *session, const uint32_t shape[3],
                                 enum bench_devices_kind kind, struct bench_records *records,
                                 bool *matches, posemb_error *error)
{
    struct bench_devices result;
    char what[80];
    const posemb_status status = bench_devices_run(session, kind, shape, &result, error);

    if (status != POSEMB_OK)
        return status;
    snprintf(what, sizeof what, "[%" PRIu32 ",%" PRIu32 ",%" PRIu32 "] over %s", shape[0], shape[1],
             shape[2], bench_devices_names[kind]);
    printf("  %s: ", what);
    if (result.skipped) {
        printf("not measured: %s\n", result.skipped);
        return bench_records_skip(records, what, result.skipped);
    }
    print(&result);
    fflush(stdout);
    *matches = *matches && result.differing == 0;
    return bench_records_add(records, "devices", to_json(shape, kind, &result));
}

posemb_status bench_devices_report(posemb_session *session, const uint32_t shape[3],
                                   struct bench_records *records, bool *matches,
                                   posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    *matches = true;
    for (int kind = 0; status == POSEMB_OK && kind < BENCH_DEVICES_KINDS; kind++)
        status =
            report_kind(session, shape, (enum bench_devices_kind)kind, records, matches, error);
    return status;
}
