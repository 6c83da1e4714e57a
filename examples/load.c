/* load.c: the embedding stage of a model's file, from the file into buffers of an engine of yours,
 * and one sentence through it. The argument is the file; else the excerpt in data/. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_load.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 6, SHOWN = 4 };

static void check(posemb_status status, const posemb_error *error)
{
    if (status == POSEMB_OK)
        return;
    fprintf(stderr, "%s: %s\n", posemb_status_name(status), error->message);
    exit(EXIT_FAILURE);
}

static int show_progress(const char *part, uint64_t done, uint64_t total, void *data)
{
    (void)data;
    printf("%-9s %6llu of %llu bytes\n", part, (unsigned long long)done, (unsigned long long)total);
    return 0; /* anything else stops the load */
}

/* Whatever gives an engine and a queue; here a session. */
static void run(posemb_session *session, const char *path)
{
    const posemb_engine *engine = posemb_session_engine(session);
    const cl_command_queue queue = posemb_session_queue(session);
    const int32_t ids[LENGTH] = {23, 195, 218, 23, 205, 11}; /* in data/ one of the sentences */
    posemb_error error;

    /* Once: the tables go from the file to the device in pieces of at most 4 MiB, and what the file
     * says of itself becomes a description. */
    const posemb_load_options options = {.progress = show_progress};
    posemb_loaded *stage;
    posemb_plan *plan;
    check(posemb_load_stage(engine, queue, path, &options, &stage, &error), &error);
    check(posemb_plan_create(posemb_session_engine(session), posemb_loaded_desc(stage), &plan,
                             &error),
          &error);

    /* Each call: the buffers and sizes of the file, and what is of the call alone. */
    posemb_args args = *posemb_loaded_args(stage);
    args.shape.batch = 1;
    args.shape.length = LENGTH;
    const size_t size = sizeof(float) * LENGTH * posemb_loaded_desc(stage)->dim;
    check(posemb_session_upload(session, ids, sizeof ids, &args.ids.mem, &error), &error);
    check(posemb_session_upload(session, NULL, size, &args.out.mem, &error), &error);
    check(posemb_enqueue(plan, queue, &args, 0, NULL, NULL, &error), &error);

    float first[SHOWN];
    uint32_t bits[SHOWN];
    check(posemb_session_download(session, args.out.mem, 0, first, sizeof first, &error), &error);
    printf("model %s, token 0, id %d:", posemb_loaded_model(stage), (int)ids[0]);
    for (int channel = 0; channel < SHOWN; channel++)
        printf(" %.6f", (double)first[channel]);
    memcpy(bits, first, sizeof bits);
    printf(" ...\nbits:");
    for (int channel = 0; channel < SHOWN; channel++)
        printf(" %08x", (unsigned)bits[channel]);
    printf("\n");
    clReleaseMemObject(args.ids.mem);
    clReleaseMemObject(args.out.mem);
    posemb_plan_destroy(plan);
    posemb_loaded_destroy(stage);
}

int main(int count, char **arguments)
{
    const char *path = count > 1 ? arguments[1] : "data/all-MiniLM-L6-v2-excerpt.safetensors";
    posemb_session *session = NULL;
    posemb_error error;

    check(posemb_session_create(NULL, NULL, &session, &error), &error);
    run(session, path);
    posemb_session_destroy(session);
    return 0;
}
