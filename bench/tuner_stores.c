/* From which size of the output stores that bypass the cache are faster. */
#include "tuner.h"

#include "cl_error.h"
#include "clock.h"
#include "plan.h"
#include "tuner_data.h"
#include "yardstick.h"

#include <math.h>
#include <string.h>

enum { DIM = 1024, PAIRS_MIN = 11, PAIRS_MAX = 60, LAUNCHES_MAX = 64 };

static const uint64_t least_bytes = (uint64_t)1 << 20;
static const double sample_seconds = 2e-3;

/* Plans with plain and with streamed stores, and the reader of their output. */
struct stores_run {
    posemb_session *session;
    struct tuner_data data;
    posemb_plan *plans[2];
    struct yardsticks reader;
    bool reads;
    uint32_t launches;
    uint32_t next_set;
};

static posemb_status launch(struct stores_run *run, const posemb_plan *plan, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    const posemb_args args = tuner_data_args(&run->data, TUNER_ROW, run->next_set++);
    const posemb_status status = posemb_enqueue(plan, queue, &args, 0, NULL, NULL, error);
    cl_int code = CL_SUCCESS;

    if (status == POSEMB_OK && run->reads)
        code = yardsticks_enqueue_reader(&run->reader, queue, run->data.device_out,
                                         tuner_data_out_bytes(&run->data, TUNER_ROW));
    if (status == POSEMB_OK && code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "enqueue of a reader");
    return status;
}

static posemb_status sample(struct stores_run *run, int which, double *seconds, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    const double begin = clock_seconds();

    for (uint32_t i = 0; i < run->launches; i++) {
        const posemb_status status = launch(run, run->plans[which], error);

        if (status != POSEMB_OK)
            return status;
    }
    clFinish(queue);
    *seconds = (clock_seconds() - begin) / run->launches;
    return POSEMB_OK;
}

/* How many launches a sample has. */
static posemb_status calibrate(struct stores_run *run, posemb_error *error)
{
    double seconds = sample_seconds;
    posemb_status status = POSEMB_OK;

    run->launches = 1;
    for (int n = 0; status == POSEMB_OK && n < 6; n++)
        status = sample(run, n % 2, &seconds, error);
    run->launches = (uint32_t)fmin(sample_seconds / seconds + 1.0, LAUNCHES_MAX);
    return status;
}

/* The median of streamed / plain, where plain is measured before and after; and what is between
 * these two. */
static posemb_status compare(struct stores_run *run, double seconds, double *ratio, double *noise,
                             posemb_error *error)
{
    double ratios[PAIRS_MAX];
    double again[PAIRS_MAX];
    const double begin = clock_seconds();
    posemb_status status = calibrate(run, error);
    size_t count = 0;

    while (status == POSEMB_OK && count < PAIRS_MAX &&
           (count < PAIRS_MIN || clock_seconds() - begin < seconds)) {
        const bool turned = count % 2;
        double plain[2] = {1.0, 1.0};
        double streamed = 1.0;

        status = sample(run, 0, &plain[turned], error);
        if (status == POSEMB_OK)
            status = sample(run, 1, &streamed, error);
        if (status == POSEMB_OK)
            status = sample(run, 0, &plain[!turned], error);
        ratios[count] = streamed / (0.5 * (plain[0] + plain[1]));
        again[count++] = plain[1] / plain[0];
    }
    if (status != POSEMB_OK)
        return status;
    *ratio = samples_median(ratios, count);
    *noise = fabs(samples_median(again, count) - 1.0);
    return POSEMB_OK;
}

/* Plans of one threshold: never, and always. */
static posemb_status make_plans(struct stores_run *run, posemb_consumer consumer, size_t *differing,
                                posemb_error *error)
{
    posemb_engine *engine = posemb_session_engine(run->session);
    posemb_desc desc = run->data.desc;
    posemb_status status = POSEMB_OK;

    desc.consumer = consumer;
    for (int i = 0; status == POSEMB_OK && i < 2; i++) {
        struct posemb__tuning tuning = posemb__engine_tuning(engine, &desc);
        size_t found = 0;

        tuning.value[POSEMB__SET_STREAMED] = tuning.value[POSEMB__SET_FOLLOWS] = i ? 0 : UINT64_MAX;
        status = posemb__plan_create_tuned(engine, &desc, &tuning, &run->plans[i], error);
        if (status == POSEMB_OK)
            status = tuner_data_verify(&run->data, run->plans[i], &found, error);
        *differing += found;
    }
    return status;
}

/* One size. */
static posemb_status measure(posemb_session *session, posemb_consumer consumer, double seconds,
                             struct tuner_stores *stores, posemb_error *error)
{
    const struct tuner_case tuned = {POSEMB_ENCODE, POSEMB_SINUSOIDAL, POSEMB_F32,
                                     POSEMB_F32,    POSEMB_NORM_NONE,  DIM};
    struct stores_run run = {.session = session, .reads = consumer == POSEMB_CONSUMER_FOLLOWS};
    const size_t k = stores->sizes;
    posemb_status status =
        tuner_data_create(session, &tuned, (size_t)stores->bytes[k], &run.data, error);

    if (status != POSEMB_OK)
        return status;
    stores->bytes[k] = tuner_data_out_bytes(&run.data, TUNER_ROW);
    status = make_plans(&run, consumer, &stores->differing, error);
    if (status == POSEMB_OK)
        status = yardsticks_create(session, (size_t)stores->bytes[k], &run.reader, error);
    if (status == POSEMB_OK)
        stores->streams = run.plans[1]->launch_rule.streams;
    if (status == POSEMB_OK && stores->streams && stores->differing == 0)
        status = compare(&run, seconds, &stores->ratio[k], &stores->noise[k], error);
    yardsticks_destroy(&run.reader);
    posemb_plan_destroy(run.plans[0]);
    posemb_plan_destroy(run.plans[1]);
    tuner_data_destroy(&run.data);
    return status;
}

/* The smallest size from which on nothing speaks against streamed stores, and something for them.
 */
static uint64_t find_threshold(const struct tuner_stores *stores)
{
    uint64_t threshold = UINT64_MAX;
    bool wrong = false; /* the threshold in force, at a size where it matters */

    for (size_t k = 0; k < stores->sizes; k++) {
        const double ratio = stores->ratio[k];

        if (fabs(ratio - 1.0) > fmax(TUNER_LEAST_GAIN, 2.0 * stores->noise[k]))
            wrong |= (ratio < 1.0) != (stores->bytes[k] >= stores->first);
    }
    for (size_t k = stores->sizes; wrong && k > 0; k--) {
        if (stores->ratio[k - 1] > 1.0)
            break;
        threshold = stores->bytes[k - 1];
    }
    return wrong ? threshold : stores->first;
}

posemb_status tuner_run_stores(posemb_session *session, posemb_consumer consumer, uint64_t most,
                               const struct tuner_options *options, struct tuner_stores *stores,
                               posemb_error *error)
{
    const struct posemb__tuning in_force =
        posemb__engine_tuning(posemb_session_engine(session), NULL);
    posemb_status status = POSEMB_OK;

    memset(stores, 0, sizeof *stores);
    stores->streams = true;
    stores->first = stores->best =
        in_force.value[consumer == POSEMB_CONSUMER_FOLLOWS ? POSEMB__SET_FOLLOWS
                                                           : POSEMB__SET_STREAMED];
    while (status == POSEMB_OK && stores->streams && stores->differing == 0 &&
           stores->sizes < TUNER_SIZES && least_bytes << stores->sizes <= most) {
        stores->bytes[stores->sizes] = least_bytes << stores->sizes;
        if (options->say)
            options->say(consumer == POSEMB_CONSUMER_FOLLOWS ? "stores, with a reader" : "stores",
                         true, options->data);
        status = measure(session, consumer, options->seconds / TUNER_SIZES, stores, error);
        stores->sizes++;
    }
    if (status == POSEMB_OK && stores->streams && stores->differing == 0)
        stores->best = find_threshold(stores);
    return status;
}
