/* Kernel source text to cl_program. */
#ifndef POSEMB_PROGRAM_H
#define POSEMB_PROGRAM_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

/* kernels/stage.cl with its includes, embedded at build time; zero-terminated. */
extern const char posemb__kernel_source[];
extern const size_t posemb__kernel_source_size;

/* The build-time choices of kernels/stage.cl. */
struct posemb__program_key {
    posemb_operation operation;
    bool halves;
    uint32_t memory_floats;
    uint32_t rows;
};

#define POSEMB__OPTIONS_SIZE 160

/* The option string of a key: language version and defines, never a fast-math flag. */
void posemb__program_options(const struct posemb__program_key *key,
                             char options[POSEMB__OPTIONS_SIZE]);

/* Build the program of `key`; the driver's log goes to the message where that fails. */
posemb_status posemb__program_build(cl_context context, cl_device_id device,
                                    const struct posemb__program_key *key, cl_program *program,
                                    posemb_error *error);

#endif
