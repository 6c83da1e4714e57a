/* The body of posemb_engine. */
#ifndef POSEMB_ENGINE_H
#define POSEMB_ENGINE_H

#include "program.h"
#include "tuning.h"

#include <pthread.h>
#include <stdatomic.h>

/* One compiled program of an engine, in a list; stays as long as the engine. */
struct posemb__program {
    struct posemb__program_key key;
    struct posemb__digest id;
    cl_program program;
    bool saved; /* on disk already, or not to be saved at all */
    struct posemb__program *next;
};

/* Texts of tuning: posemb's, and what the caller gave. */
enum { POSEMB__TUNING_BUILTIN, POSEMB__TUNING_GIVEN, POSEMB__TUNINGS };

struct posemb_engine {
    atomic_uint references; /* the caller's, and one of each plan */
    cl_context context;
    cl_device_id device;
    posemb_device_info info;
    posemb_engine_options options; /* resolved */
    posemb_engine_options given;   /* of these the numbers go before any tuning */
    char *cache_folder;            /* options.cache_folder */
    struct posemb__tuning_text tunings[POSEMB__TUNINGS];
    struct posemb__device_identity identity;
    pthread_mutex_t programs_lock;
    struct posemb__program *programs;
};

posemb_engine *posemb__engine_retain(posemb_engine *engine);

/* The tuning in force for a (resolved) description; NULL: for those that no entry names. */
struct posemb__tuning posemb__engine_tuning(const posemb_engine *engine, const posemb_desc *desc);

/* The same under a shape that is given; POSEMB_SHAPE_DEFAULT: none is. */
struct posemb__tuning posemb__engine_tuning_of_shape(const posemb_engine *engine,
                                                     const posemb_desc *desc,
                                                     posemb_kernel_shape shape);

/* The caller's blob; bytes NULL: none. */
struct posemb__offer {
    const void *bytes;
    size_t size;
};

/* The program of `key`, owned by the engine: its own if it has it, else from the offered blob, the
 * cache folder, or the source. */
posemb_status posemb__engine_program(posemb_engine *engine, const struct posemb__program_key *key,
                                     const struct posemb__offer *offer,
                                     struct posemb__program **program, posemb_origin *origin,
                                     posemb_error *error);

/* Whether the program should be saved: it was built from source, and there is a cache folder. */
bool posemb__engine_wants(posemb_engine *engine, const struct posemb__program *program);

/* Save a program whose kernels have run. */
posemb_status posemb__engine_save(posemb_engine *engine, struct posemb__program *program,
                                  posemb_error *error);

/* The program as a blob, malloc'ed. */
posemb_status posemb__engine_blob(const posemb_engine *engine,
                                  const struct posemb__program *program, unsigned char **bytes,
                                  size_t *size, posemb_error *error);

#endif
