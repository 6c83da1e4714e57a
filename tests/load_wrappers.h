/* Wrappers that the linker puts before what posemb_load calls (-Wl,--wrap=...): they count what is
 * allocated and read, and let a call fail. */
#ifndef POSEMB_TESTS_LOAD_WRAPPERS_H
#define POSEMB_TESTS_LOAD_WRAPPERS_H

#include <stddef.h>
#include <stdint.h>

/* The calls that can be made to fail. */
enum load_call {
    LOAD_ALLOCATE, /* malloc, calloc, strdup, strndup */
    LOAD_CREATE,   /* clCreateBuffer */
    LOAD_WRITE,
    LOAD_MAP,
    LOAD_UNMAP, /* the buffer is unmapped all the same */
    LOAD_WAIT,  /* likewise */
    LOAD_CALLS
};

/* Of one load, since load_watch(). */
struct load_counts {
    unsigned calls[LOAD_CALLS];
    long blocks; /* of host memory, that are left */
    size_t bytes;
    size_t most_bytes; /* that were there at once */
    long buffers;
    long maps;
    long events;         /* of writes and unmaps */
    size_t largest_map;  /* in bytes */
    uint64_t file_bytes; /* that were read */
};

extern struct load_counts load_counts;

/* Count from 0; call number `index` of that kind, from 0, fails, LOAD_CALLS: none. */
void load_watch(enum load_call call, unsigned index);

/* Count nothing any more, and let nothing fail. */
void load_unwatch(void);

/* Note how often each byte of the next files is read, [size] of them; NULL: no more. */
void load_note_reads(unsigned char *times, size_t size);

#endif
