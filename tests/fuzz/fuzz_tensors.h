/* What the targets of files of tensors share. */
#ifndef POSEMB_FUZZ_TENSORS_H
#define POSEMB_FUZZ_TENSORS_H

#include <stddef.h>

/** Find and read, by rows too, the `count` tensors of a file that its own format's reader opens. */
void fuzz_read_as_tensors(const char *path, size_t count);

#endif
