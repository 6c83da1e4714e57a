/* What the fuzz targets share. Each defines LLVMFuzzerTestOneInput, for libFuzzer or replay.c. */
#ifndef POSEMB_FUZZ_H
#define POSEMB_FUZZ_H

#include <posemb/posemb.h>

#include <stddef.h>
#include <stdint.h>

#define FUZZ_PATH_SIZE 1024u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/** Make a file of these bytes in a private folder, in place of any before, and give its path. The
 * folder is under $TMPDIR or /tmp, and goes when the process ends well. */
void fuzz_write(const char *name, const void *bytes, size_t size, char path[FUZZ_PATH_SIZE]);

/** Remove a file of that folder, if it is there. */
void fuzz_remove(const char *name);

/** Abort, for the fuzzer to take note of it, unless this is so. */
void fuzz_expect(int is_so, const char *what);

/** Whether the status is POSEMB_OK; any other must be that of the error, which has a message. */
int fuzz_accepted(posemb_status status, const posemb_error *error);

#endif
