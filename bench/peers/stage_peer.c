/* The stage and plain copies behind plain functions: one session, its buffers made once. */
#include "stage_peer.h"

#include "yardstick.h"

#include <posemb/posemb_cl.h>

#include <stdio.h>
#include <stdlib.h>

/* The buffers of one peer; those that the model does not have stay NULL. */
struct buffers {
    cl_mem words;
    cl_mem learned;
    cl_mem segments;
    cl_mem gamma;
    cl_mem beta;
    cl_mem ids;
    cl_mem segment_ids;
    cl_mem out;
};

struct stage_peer {
    posemb_session *session;
    posemb_plan *plan;
    posemb_desc desc;
    posemb_shape shape;
    uint64_t sets;
    size_t ids_bytes; /* of one set */
    size_t out_bytes;
    struct buffers buffers;
    struct yardsticks yardsticks;
    char device[544];
};

static posemb_desc describe(const struct stage_peer_model *model)
{
    posemb_desc desc = {
        .dim = model->dim,
        .token_scale = model->token_scale,
        .consumer = model->streamed ? POSEMB_CONSUMER_STREAMED : POSEMB_CONSUMER_FOLLOWS,
    };

    if (model->learned)
        desc.position_kind = POSEMB_LEARNED;
    if (model->segments)
        desc.extras[0].ids = POSEMB_EXTRA_OF_TOKEN;
    if (model->gamma) {
        desc.norm = POSEMB_NORM_LAYER;
        desc.epsilon = model->epsilon;
    }
    return desc;
}

static void set_sizes(struct stage_peer *peer, const struct stage_peer_model *model,
                      const struct stage_peer_input *input)
{
    const size_t tokens = (size_t)(input->batch * input->length);

    peer->desc = describe(model);
    peer->shape = (posemb_shape){.batch = input->batch, .length = input->length};
    peer->shape.start = input->start;
    peer->shape.vocab = model->vocab;
    if (model->learned)
        peer->shape.position_rows = model->position_rows;
    if (model->segments)
        peer->shape.extras[0].rows = model->segment_rows;
    peer->sets = input->sets;
    peer->ids_bytes = tokens * sizeof(int32_t);
    peer->out_bytes = tokens * model->dim * sizeof(float);
}

/* Nothing where `data` is NULL. */
static posemb_status upload(struct stage_peer *peer, const void *data, size_t bytes, cl_mem *buffer,
                            posemb_error *error)
{
    return data ? posemb_session_upload(peer->session, data, bytes, buffer, error) : POSEMB_OK;
}

static posemb_status upload_model(struct stage_peer *peer, const struct stage_peer_model *model,
                                  posemb_error *error)
{
    const size_t row = model->dim * sizeof(float);
    const struct {
        const float *data;
        size_t rows;
        cl_mem *buffer;
    } tables[] = {
        {model->words, (size_t)model->vocab, &peer->buffers.words},
        {model->learned, (size_t)model->position_rows, &peer->buffers.learned},
        {model->segments, (size_t)model->segment_rows, &peer->buffers.segments},
        {model->gamma, 1, &peer->buffers.gamma},
        {model->beta, 1, &peer->buffers.beta},
    };
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < sizeof tables / sizeof *tables; i++)
        status = upload(peer, tables[i].data, tables[i].rows * row, tables[i].buffer, error);
    return status;
}

static posemb_status upload_input(struct stage_peer *peer, const struct stage_peer_input *input,
                                  posemb_error *error)
{
    const size_t bytes = (size_t)input->sets * peer->ids_bytes;
    posemb_status status = upload(peer, input->ids, bytes, &peer->buffers.ids, error);

    if (status == POSEMB_OK)
        status = upload(peer, input->segment_ids, bytes, &peer->buffers.segment_ids, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(peer->session, NULL, peer->out_bytes + YARDSTICK_PADDING,
                                       &peer->buffers.out, error);
    return status;
}

static void name_device(struct stage_peer *peer)
{
    const posemb_device_info *device = posemb_session_device(peer->session);

    snprintf(peer->device, sizeof peer->device, "%s; %s %s; driver %s", device->name,
             device->platform_name, device->version, device->driver);
}

static posemb_status prepare(struct stage_peer *peer, const char *selector,
                             const struct stage_peer_model *model,
                             const struct stage_peer_input *input, posemb_error *error)
{
    posemb_status status = posemb_session_create(selector, NULL, &peer->session, error);

    if (status != POSEMB_OK)
        return status;
    name_device(peer);
    set_sizes(peer, model, input);
    status =
        posemb_plan_create(posemb_session_engine(peer->session), &peer->desc, &peer->plan, error);
    if (status == POSEMB_OK)
        status = upload_model(peer, model, error);
    if (status == POSEMB_OK)
        status = upload_input(peer, input, error);
    if (status == POSEMB_OK)
        status = yardsticks_create(peer->session, peer->out_bytes, &peer->yardsticks, error);
    if (status == POSEMB_OK)
        status = posemb_plan_warmup(peer->plan, posemb_session_queue(peer->session), &peer->shape,
                                    error);
    return status;
}

static void write_message(const posemb_error *error, char *message)
{
    snprintf(message, STAGE_PEER_MESSAGE, "%s: %s", posemb_status_name(error->status),
             error->message);
}

struct stage_peer *stage_peer_create(const char *selector, const struct stage_peer_model *model,
                                     const struct stage_peer_input *input, char *message)
{
    struct stage_peer *peer = calloc(1, sizeof *peer);
    posemb_error error = {.status = POSEMB_OUT_OF_MEMORY};

    if (peer && prepare(peer, selector, model, input, &error) == POSEMB_OK)
        return peer;
    write_message(&error, message);
    stage_peer_destroy(peer);
    return NULL;
}

void stage_peer_destroy(struct stage_peer *peer)
{
    if (!peer)
        return;
    const cl_mem buffers[] = {
        peer->buffers.words, peer->buffers.learned,     peer->buffers.segments,
        peer->buffers.gamma, peer->buffers.beta,        peer->buffers.ids,
        peer->buffers.out,   peer->buffers.segment_ids,
    };

    posemb_plan_destroy(peer->plan);
    yardsticks_destroy(&peer->yardsticks);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    posemb_session_destroy(peer->session);
    free(peer);
}

const char *stage_peer_version(void)
{
    return posemb_version();
}

const char *stage_peer_device(const struct stage_peer *peer)
{
    return peer->device;
}

static posemb_args arguments(const struct stage_peer *peer, uint64_t set)
{
    const struct buffers *buffers = &peer->buffers;
    const uint64_t ids = set % peer->sets * peer->ids_bytes;

    return (posemb_args){
        .shape = peer->shape,
        .ids = {buffers->ids, ids},
        .table = {buffers->words, 0},
        .position_table = {buffers->learned, 0},
        .extras = {{.ids = {buffers->segment_ids, ids}, .table = {buffers->segments, 0}}},
        .gamma = {buffers->gamma, 0},
        .beta = {buffers->beta, 0},
        .out = {buffers->out, 0},
    };
}

int stage_peer_run(struct stage_peer *peer, uint64_t first, uint64_t launches, char *message)
{
    const cl_command_queue queue = posemb_session_queue(peer->session);
    posemb_error error;

    for (uint64_t i = 0; i < launches; i++) {
        const posemb_args args = arguments(peer, first + i);
        if (posemb_enqueue(peer->plan, queue, &args, 0, NULL, NULL, &error) != POSEMB_OK) {
            write_message(&error, message);
            return 0;
        }
    }
    if (clFinish(queue) == CL_SUCCESS)
        return 1;
    snprintf(message, STAGE_PEER_MESSAGE, "clFinish fails");
    return 0;
}

int stage_peer_read(struct stage_peer *peer, float *out, char *message)
{
    posemb_error error;

    if (posemb_session_download(peer->session, peer->buffers.out, 0, out, peer->out_bytes,
                                &error) == POSEMB_OK)
        return 1;
    write_message(&error, message);
    return 0;
}

/* How far the source of a copy may begin into the token table, whose last vectors must not be
 * passed; negative where a whole copy does not fit. */
static int64_t source_room(const struct stage_peer *peer)
{
    const uint64_t table = peer->shape.vocab * peer->desc.dim * sizeof(float);

    return (int64_t)table - (int64_t)(peer->out_bytes + YARDSTICK_PADDING);
}

uint64_t stage_peer_copies(const struct stage_peer *peer)
{
    return source_room(peer) > 0 ? peer->yardsticks.copy_count : 0;
}

const char *stage_peer_copy_name(const struct stage_peer *peer, uint64_t copy)
{
    return peer->yardsticks.copies[copy].name;
}

/* Where the source of a set begins in the token table, in bytes: a multiple of 64. */
static size_t source_offset(const struct stage_peer *peer, uint64_t set)
{
    return (size_t)(set % peer->sets * peer->out_bytes % (uint64_t)source_room(peer)) / 64 * 64;
}

int stage_peer_copy(struct stage_peer *peer, uint64_t copy, uint64_t first, uint64_t launches,
                    char *message)
{
    const cl_command_queue queue = posemb_session_queue(peer->session);
    cl_int code = CL_SUCCESS;

    for (uint64_t i = 0; code == CL_SUCCESS && i < launches; i++)
        code = yardsticks_enqueue_copy(&peer->yardsticks.copies[copy], queue, peer->buffers.words,
                                       source_offset(peer, first + i), peer->buffers.out,
                                       peer->out_bytes);
    if (code == CL_SUCCESS)
        code = clFinish(queue);
    if (code == CL_SUCCESS)
        return 1;
    snprintf(message, STAGE_PEER_MESSAGE, "a copy fails: OpenCL error %d", (int)code);
    return 0;
}
