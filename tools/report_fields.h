/* Typed fields of one JSON object, by tables: what is wrong is refused by the name of its key. */
#ifndef POSEMB_REPORT_FIELDS_H
#define POSEMB_REPORT_FIELDS_H

#include <posemb/posemb.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum field_kind {
    FIELD_TEXT,      /* const char * */
    FIELD_DIGEST,    /* const char *, of 16 hexadecimal digits */
    FIELD_COUNT,     /* int64_t from 0 to 2^53 */
    FIELD_TIME,      /* double above 0, up to 1e9 */
    FIELD_MAGNITUDE, /* double from 0 to 1e300 */
    FIELD_BOOL,      /* bool */
    FIELD_SHAPE,     /* int64_t[3], each from 1 to 2^32 */
    FIELD_TEXTS      /* const json_t *, an object of texts */
};

struct field {
    const char *key;
    enum field_kind kind;
    bool is_needed; /* else it may be absent or null */
    size_t offset;  /* in the structure */
};

/* Rows of such a table: of a structure's type, its member, the key, and the kind without its
 * prefix. */
#define FIELD_NEEDED(type, member, key, kind)                                                      \
    {                                                                                              \
        key, FIELD_##kind, true, offsetof(struct type, member)                                     \
    }
#define FIELD_MAY_HAVE(type, member, key, kind)                                                    \
    {                                                                                              \
        key, FIELD_##kind, false, offsetof(struct type, member)                                    \
    }

/* Where an object stands. */
struct field_reader {
    const char *file; /* its name, for messages */
    size_t line;
    const json_t *object;
    posemb_error *error;
};

/* Fill the fields of a structure of zeros; those that are absent become "", -1, 0.0, false or NULL.
 */
posemb_status fields_read(const struct field_reader *reader, const struct field *fields,
                          size_t count, void *structure);

/* Refuse a line with a message of the caller's. */
posemb_status fields_refuse(const struct field_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
