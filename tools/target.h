/* Where the calls of a subcommand run: an OpenCL device, or the CPU reference. */
#ifndef POSEMB_TARGET_H
#define POSEMB_TARGET_H

#include <posemb/posemb_cl.h>

struct target {
    posemb_session *session; /* NULL: the reference */
};

/* The name of the reference as a device. */
#define TARGET_REFERENCE "reference"

/* Read a file of tuning text, which the targets that are opened from then on use. Fails where it
 * cannot be read, or has an error. */
posemb_status target_use_tuning(const char *path, posemb_error *error);

/* Open what `selector` names, with that program cache: a device, or "reference"; NULL means
 * $POSEMB_DEVICE, and where that is not set the first usable device, or, with a notice, the
 * reference. */
posemb_status target_open(const char *selector, posemb_cache_mode cache, struct target *target,
                          posemb_error *error);
void target_close(struct target *target);

/* "NAME (PLATFORM)", for people. */
const char *target_name(const struct target *target);

posemb_status target_run(const struct target *target, const posemb_desc *desc,
                         const posemb_host_args *args, posemb_error *error);

/* Call `visit` for the devices that `selector` names: one, or with "all" every device there is;
 * NULL as in target_open(). Stops at the first failure to open. `*visited` counts the calls;
 * `visit` gets `context` and returns an exit status, of which the largest is returned in `*worst`.
 */
posemb_status target_for_each(const char *selector, posemb_cache_mode cache,
                              int (*visit)(const struct target *target, void *context),
                              void *context, size_t *visited, int *worst, posemb_error *error);

#endif
