/* The folder of compiled programs: one file for each, "<id>.posemb", written beside and renamed,
 * never locked. Knows nothing of what a blob says. No OpenCL. Every fault is POSEMB_CACHE_FAILED.
 */
#ifndef POSEMB_CACHE_H
#define POSEMB_CACHE_H

#include <posemb/posemb.h>

#include <stdbool.h>

#define POSEMB__CACHE_PATH_SIZE 4096u

/* The folder that the environment names; see posemb_cache_folder(). */
posemb_status posemb__cache_default_folder(char path[POSEMB__CACHE_PATH_SIZE], posemb_error *error);

/* The value of an environment variable; NULL where it is not set or not to be trusted. */
const char *posemb__cache_environment(const char *name);

/* Read file `name` whole into malloc'ed memory and mark it as used. POSEMB_OK with *bytes NULL:
 * there is no such file, or no folder yet. */
posemb_status posemb__cache_read(const char *folder, const char *name, unsigned char **bytes,
                                 size_t *size, posemb_error *error);

/* The same without marking it. */
posemb_status posemb__cache_look(const char *folder, const char *name, unsigned char **bytes,
                                 size_t *size, posemb_error *error);

/* Put a file in place of any of that name, make the folder where it is not there, and remove the
 * least recently used files until `limit` bytes are left. A file larger than the limit is not
 * written. */
posemb_status posemb__cache_write(const char *folder, const char *name, const void *bytes,
                                  size_t size, uint64_t limit, posemb_error *error);

/* One file as posemb__cache_list() finds it. */
struct posemb__cache_file {
    char name[64];
    uint64_t bytes;
    int64_t used; /* seconds since 1970 */
};

/* The files of a folder that have a name of posemb's, least recently used first, malloc'ed. No
 * folder: none. */
posemb_status posemb__cache_list(const char *folder, struct posemb__cache_file **files,
                                 size_t *count, posemb_error *error);

/* Remove those files, and temporary ones of any age. */
posemb_status posemb__cache_remove_all(const char *folder, size_t *removed, posemb_error *error);

#endif
