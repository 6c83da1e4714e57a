/* The public calls that look at a cache folder. */
#include "blob.h"
#include "cache.h"
#include "status.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

posemb_status posemb_cache_folder(char *path, size_t capacity, posemb_error *error)
{
    char found[POSEMB__CACHE_PATH_SIZE];
    posemb_status status;

    if (!path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path is NULL");
    status = posemb__cache_default_folder(found, error);
    if (status != POSEMB_OK)
        return status;
    if (strlen(found) >= capacity)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "capacity is %zu, fewer than the %zu bytes of the folder's name",
                            capacity, strlen(found) + 1);
    memcpy(path, found, strlen(found) + 1);
    return POSEMB_OK;
}

/* `given`, or the default folder, in `found`. */
static posemb_status folder_or_default(const char *given, char found[POSEMB__CACHE_PATH_SIZE],
                                       const char **folder, posemb_error *error)
{
    *folder = given ? given : found;
    return given ? POSEMB_OK : posemb__cache_default_folder(found, error);
}

/* Whether the file's name is the id of the program in it. */
static bool is_named(const struct posemb__cache_file *file, const struct posemb__blob *blob)
{
    char id[POSEMB__DIGEST_TEXT_SIZE];

    posemb__digest_text(&blob->id, id);
    return strncmp(file->name, id, strlen(id)) == 0;
}

static posemb_status visit_file(const char *folder, const struct posemb__cache_file *file,
                                void (*visit)(const posemb_cache_entry *entry, void *data),
                                void *data)
{
    char label[POSEMB__BLOB_LABEL_MAX + 1] = "";
    posemb_cache_entry entry = {
        .file = file->name, .label = label, .bytes = file->bytes, .used = file->used};
    struct posemb__blob blob;
    unsigned char *bytes = NULL;
    size_t size = 0;
    posemb_error fault;
    posemb_status status = posemb__cache_look(folder, file->name, &bytes, &size, &fault);

    if (status == POSEMB_OK && !bytes)
        return POSEMB_OK; /* removed in the meantime */
    if (status == POSEMB_OK)
        status = posemb__blob_read(bytes, size, NULL, &blob, &fault);
    if (status == POSEMB_OK && !is_named(file, &blob))
        status = posemb__fail(&fault, POSEMB_CACHE_FAILED, 0, "another program than its name says");
    if (status == POSEMB_OK) {
        memcpy(label, blob.label, blob.label_size);
        label[blob.label_size] = '\0';
    } else {
        entry.fault = fault.message;
    }
    visit(&entry, data);
    free(bytes);
    return POSEMB_OK;
}

posemb_status posemb_cache_visit(const char *folder,
                                 void (*visit)(const posemb_cache_entry *entry, void *data),
                                 void *data, posemb_error *error)
{
    char found[POSEMB__CACHE_PATH_SIZE];
    struct posemb__cache_file *files = NULL;
    size_t count = 0;
    posemb_status status;

    if (!visit)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "visit is NULL");
    status = folder_or_default(folder, found, &folder, error);
    if (status == POSEMB_OK)
        status = posemb__cache_list(folder, &files, &count, error);
    for (size_t i = 0; status == POSEMB_OK && i < count; i++)
        status = visit_file(folder, &files[i], visit, data);
    free(files);
    return status;
}

posemb_status posemb_cache_clear(const char *folder, size_t *removed, posemb_error *error)
{
    char found[POSEMB__CACHE_PATH_SIZE];
    size_t count = 0;
    posemb_status status = folder_or_default(folder, found, &folder, error);

    if (status == POSEMB_OK)
        status = posemb__cache_remove_all(folder, &count, error);
    if (removed)
        *removed = count;
    return status;
}
