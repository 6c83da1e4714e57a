/* What the parts of the reader of GGUF files share. */
#ifndef POSEMB_GGUF_INTERNAL_H
#define POSEMB_GGUF_INTERNAL_H

#include "file_bytes.h"
#include "gguf.h"

#define GGUF_NAME_SIZE   64u    /* with a NUL: the limit of ggml */
#define GGUF_BUFFER_SIZE 16384u /* of a header being read */

/* An entry of the metadata and what it owns. */
typedef struct gguf_entry {
    gguf_value value;
    char *key;
    char *text;
} gguf_entry;

struct gguf_file {
    file_bytes bytes;
    uint32_t version;
    uint64_t alignment;
    size_t value_count;
    gguf_entry *entries;
    const gguf_value **by_key; /* sorted */
    size_t count;
    gguf_tensor *tensors;
    char (*names)[GGUF_NAME_SIZE]; /* of the tensors */
    const gguf_tensor **by_name;   /* sorted */
};

/* ---- The header's bytes (gguf_header.c) */

/* A header being read. What fails records the status, and returns false. */
typedef struct header_reader {
    gguf_file *file;
    uint64_t at;        /* of the next byte in the file */
    uint64_t field_at;  /* of the field that was read last */
    uint64_t data_size; /* of the tensors so far, each with its padding */
    uint64_t kept;      /* bytes of keys and strings so far */

    /* Where it is, for messages: the header, or a key or tensor, which has no name at first. */
    const char *part;
    size_t index;
    const char *name;

    uint64_t buffer_at; /* of the buffer's first byte in the file */
    size_t buffered;
    unsigned char buffer[GGUF_BUFFER_SIZE];

    posemb_status status;
    posemb_error *error;
} header_reader;

/* Take a status in; whether it is POSEMB_OK. */
bool header_record(header_reader *header, posemb_status status);

bool header_fail_memory(header_reader *header);

/* "FILE: PART, byte AT: FIELD: PROBLEM" of the field that was read last */
bool header_fail_field(header_reader *header, posemb_status status, const char *field,
                       const char *problem);

/* As header_fail_field(): "PROBLEM, found VALUE"; POSEMB_INVALID_ARGUMENT. */
bool header_fail_value(header_reader *header, const char *field, const char *problem,
                       uint64_t value);

/* "FILE: PART: PROBLEM" of a key or tensor that was read before */
bool header_fail_named(header_reader *header, const char *name, const char *problem);

/* How many bytes of the file come after those that were read. */
uint64_t header_left(const header_reader *header);

/* The next `size` <= GGUF_BUFFER_SIZE bytes, which stay valid until the next call. */
bool header_take(header_reader *header, const char *field, size_t size,
                 const unsigned char **bytes);

bool header_skip(header_reader *header, const char *field, uint64_t size);
bool header_read_u32(header_reader *header, const char *field, uint32_t *value);
bool header_read_u64(header_reader *header, const char *field, uint64_t *value);

/* The length of a string, whose bytes must be in the file. */
bool header_read_length(header_reader *header, const char *field, uint64_t most, uint64_t *length);

/* The bytes of a string, then a NUL: text[length + 1]. */
bool header_read_text(header_reader *header, const char *field, size_t length, char *text);

/* Names are C strings here: none may hold a NUL. */
bool header_check_name(header_reader *header, const char *field, const char *name, size_t length);

/* ---- The metadata (gguf_metadata.c) */

/* Read file->value_count entries into the lists that are there for them. */
bool gguf_read_metadata(header_reader *header);

#endif
