/* What a line of tuning text is parsed to. */
#ifndef POSEMB_TUNING_ENTRY_H
#define POSEMB_TUNING_ENTRY_H

#include "tuning.h"

/* What an entry may be for: names first, then one of some words, then what has them of a
 * description. */
enum posemb__selector {
    POSEMB__FOR_PLATFORM,
    POSEMB__FOR_DEVICE,
    POSEMB__FOR_DRIVER,
    POSEMB__FOR_TYPE,
    POSEMB__FOR_SHAPE,
    POSEMB__FOR_OPERATION, /* from here on a description is needed */
    POSEMB__FOR_POSITION,
    POSEMB__FOR_TABLE,
    POSEMB__FOR_OUT,
    POSEMB__FOR_NORM,
    POSEMB__FOR_DIM,
    POSEMB__SELECTORS
};

enum { POSEMB__FOR_NAMES = POSEMB__FOR_TYPE };

/* The words of a selector, up to one that is NULL; of names and dim: NULL. */
struct posemb__choice {
    const char *word;
    uint64_t value;
};

const struct posemb__choice *posemb__selector_choices(enum posemb__selector selector);

/* Characters of the text, without a zero at their end. */
struct posemb__word {
    const char *text;
    size_t size;
};

struct posemb__tuning_entry {
    unsigned selected; /* bit k: selector k */
    unsigned set;      /* bit k: setting k */
    struct posemb__word name[POSEMB__FOR_NAMES];
    uint64_t choice[POSEMB__FOR_DIM]; /* the value that the description or subject must have */
    uint32_t least_dim;
    uint32_t most_dim;
    struct posemb__tuning tuning;
};

#endif
