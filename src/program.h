/* Kernel source text, or a binary of it, to cl_program. */
#ifndef POSEMB_PROGRAM_H
#define POSEMB_PROGRAM_H

#include "blob.h"

#include <posemb/posemb_cl.h>

#include <stdbool.h>

/* kernels/stage.cl, backward.cl and optimizer.cl with their includes, embedded at build time;
 * zero-terminated. */
extern const char posemb__kernel_source[];
extern const size_t posemb__kernel_source_size;
extern const char posemb__backward_source[];
extern const size_t posemb__backward_source_size;
extern const char posemb__optimizer_source[];
extern const size_t posemb__optimizer_source_size;

/* Which of them a program is made of. */
enum posemb__unit { POSEMB__UNIT_STAGE, POSEMB__UNIT_BACKWARD, POSEMB__UNIT_OPTIMIZER };

/* The build-time choices of kernels/stage.cl; the other units look at some of them. */
struct posemb__program_key {
    enum posemb__unit unit;
    uint32_t local_size; /* of the other units; else 0 */
    uint32_t method;     /* of the optimiser; else 0 */
    posemb_operation operation;
    bool halves;
    bool cosine_first;
    bool amplitude; /* one other than 1 */
    bool phases;    /* pairs with phases of their own */
    bool float_positions;
    bool grid;
    bool counts;           /* with the kernel that counts tokens */
    bool shares_positions; /* with the kernels for that */
    posemb_position_kind position_kind;
    posemb_storage table_storage; /* of tables that are there; else F32 */
    posemb_storage rows_storage;
    posemb_storage position_storage;
    posemb_storage norm_storage;
    posemb_storage out_storage;
    posemb_storage step_storage; /* F32: steps are not rounded */
    bool prompts;
    bool parts; /* the token table lies in several buffers */
    uint32_t extras;
    posemb_storage extra_storage[POSEMB_EXTRAS_MAX];
    posemb_norm norm;
    posemb_gamma gamma;
    bool beta;
    uint32_t folded; /* length of a row when it is folded, 16 or more, of a norm on the CPU shape;
                        else 0 */
    uint32_t memory_floats;
    uint32_t rows;
    uint32_t shared_rows; /* of a group that shares positions; else as rows */
    uint32_t prefetch;    /* lines of each row of a group; 0 where none can be */
};

#define POSEMB__OPTIONS_SIZE 1024

/* The option string of a key: language version and defines, never a fast-math flag. */
void posemb__program_options(const struct posemb__program_key *key,
                             char options[POSEMB__OPTIONS_SIZE]);

/* What the platform, device and driver say of themselves, as far as it can change a binary:
 * strings, each with its length before it, in malloc'ed memory. */
struct posemb__device_identity {
    unsigned char *bytes;
    size_t size;
};

posemb_status posemb__device_identify(const posemb_device_info *info,
                                      struct posemb__device_identity *identity,
                                      posemb_error *error);

/* The digest of everything that can change what the driver makes of the program. */
struct posemb__digest posemb__program_id(const struct posemb__device_identity *identity,
                                         const struct posemb__program_key *key);

/* Build the program of `key`; the driver's log goes to the message where that fails. */
posemb_status posemb__program_build(cl_context context, cl_device_id device,
                                    const struct posemb__program_key *key, cl_program *program,
                                    posemb_error *error);

/* Make the program of `key` from a binary that posemb__program_binary() gave. POSEMB_CACHE_FAILED
 * where the driver refuses it. */
posemb_status posemb__program_load(cl_context context, cl_device_id device,
                                   const struct posemb__program_key *key, const void *binary,
                                   size_t size, cl_program *program, posemb_error *error);

/* Bytes of the driver's binary, as it is now; 0 where the driver has none. */
posemb_status posemb__program_binary_size(cl_program program, cl_device_id device, size_t *size,
                                          posemb_error *error);

/* The binary, in binary[size] as posemb__program_binary_size() said. */
posemb_status posemb__program_binary(cl_program program, cl_device_id device, void *binary,
                                     posemb_error *error);

#endif
