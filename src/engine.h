/* The body of posemb_engine. */
#ifndef POSEMB_ENGINE_H
#define POSEMB_ENGINE_H

#include "program.h"

#include <pthread.h>
#include <stdatomic.h>

/* One compiled program of an engine, in a list. */
struct posemb__program {
    struct posemb__program_key key;
    cl_program program;
    struct posemb__program *next;
};

struct posemb_engine {
    atomic_uint references; /* the caller's, and one of each plan */
    cl_context context;
    cl_device_id device;
    posemb_device_info info;
    posemb_engine_options options; /* resolved */
    pthread_mutex_t programs_lock;
    struct posemb__program *programs;
};

posemb_engine *posemb__engine_retain(posemb_engine *engine);

/* The program of `key`, built unless the engine has it; owned by the engine. */
posemb_status posemb__engine_program(posemb_engine *engine, const struct posemb__program_key *key,
                                     cl_program *program, posemb_error *error);

#endif
