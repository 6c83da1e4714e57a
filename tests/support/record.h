/* Records to expect. */
#ifndef POSEMB_TESTS_RECORD_H
#define POSEMB_TESTS_RECORD_H

#include <posemb/posemb.h>

/* Initializer of a record in which the extra tables have no bad ids. */
#define RECORD_OF(id_count, id_first, position_count, position_first)                              \
    {                                                                                              \
        id_count, id_first, position_count, position_first,                                        \
        {                                                                                          \
            {0u, POSEMB_NO_TOKEN}, {0u, POSEMB_NO_TOKEN}, {0u, POSEMB_NO_TOKEN},                   \
            {                                                                                      \
                0u, POSEMB_NO_TOKEN                                                                \
            }                                                                                      \
        }                                                                                          \
    }

#endif
