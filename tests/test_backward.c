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

static unsigned programs(void)
{
    const char *text = getenv("POSEMB_TEST_PROGRAMS");

    return text ? (unsigned)strtoul(text, NULL, 10) : 40;
}

/* One case of a seed, so that a failure can be run alone. */
static void run_case(posemb_session *session, posemb_engine *engine, uint64_t seed, uint32_t dim)
{
    struct support_random random = support_random_from(seed);
    struct backward_case made;
    char what[64];

    snprintf(what, sizeof what, "case %u", (unsigned)seed);
    backward_case_draw(&random, &made, dim);
    backward_case_prepare(&random, &made);
    backward_case_run_reference(&made);
    backward_case_run_device(&made, session, engine, what);
    backward_case_free(&made);
}

static void any_description_has_the_bits_of_the_reference(void **state)
{
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);

    for (uint64_t seed = 1; seed <= programs(); seed++)
        run_case(*state, engine, seed, 0);
    posemb_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_description_has_the_bits_of_the_reference),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
