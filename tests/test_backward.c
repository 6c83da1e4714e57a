/* Gradients: devices and the reference agree in every bit. POSEMB_TEST_PROGRAMS: so many
 * descriptions alone, for slow implementations. */
#include "backward.h"
#include "backward_case.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 12 };

static unsigned programs(void)
{
    const char *text = getenv("POSEMB_TEST_PROGRAMS");
    const unsigned count = text ? (unsigned)strtoul(text, NULL, 10) : 12;

    return count < 12 ? count : 12;
}

/* One case of a program; both numbers are seeds, so that a failure can be run alone. */
static void run_case(posemb_session *session, posemb_engine *engine, unsigned program,
                     unsigned number)
{
    struct support_random random = support_random_from(1000 * program + number);
    struct backward_case made;
    char what[64];

    snprintf(what, sizeof what, "case %u of program %u", number, program);
    backward_case_draw(&random, &made, program);
    if (made.wanted == 0) /* a table of sinusoids alone */
        return;
    backward_case_prepare(&random, &made);
    backward_case_run_reference(&made);
    backward_case_run_device(&made, session, engine, what);
    backward_case_free(&made);
}

static void any_description_has_the_bits_of_the_reference(void **state)
{
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);

    for (unsigned program = 1; program <= programs(); program++)
        for (unsigned number = 0; number < CASES; number++)
            run_case(*state, engine, program, number);
    posemb_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_description_has_the_bits_of_the_reference),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
