/* Status names and messages, and the filling of posemb_error. */
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_every_status_has_a_name(void **state)
{
    static const struct {
        int value;
        const char *name;
    } names[] = {
        {0, "POSEMB_OK"},
        {1, "POSEMB_INVALID_ARGUMENT"},
        {2, "POSEMB_SIZE_OVERFLOW"},
        {3, "POSEMB_OUT_OF_MEMORY"},
        {4, "POSEMB_NO_DEVICE"},
        {5, "POSEMB_BUILD_FAILED"},
        {6, "POSEMB_DEVICE_ERROR"},
        {7, "POSEMB_BUFFER_TOO_SMALL"},
        {8, "POSEMB_QUEUE_MISMATCH"},
        {9, "POSEMB_UNSUPPORTED"},
        {10, "POSEMB_CACHE_FAILED"},
        {11, "POSEMB_CANCELLED"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(posemb_status_name((posemb_status)names[i].value), names[i].name);
}

static void test_every_status_has_its_own_sentence(void **state)
{
    (void)state;
    for (int i = POSEMB_OK; i <= POSEMB_CANCELLED; i++) {
        assert_true(strlen(posemb_status_message((posemb_status)i)) > 0);
        for (int k = POSEMB_OK; k < i; k++)
            assert_string_not_equal(posemb_status_message((posemb_status)i),
                                    posemb_status_message((posemb_status)k));
    }
}

static void test_other_values_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(posemb_status_name((posemb_status)12), "unknown status");
    assert_string_equal(posemb_status_name((posemb_status)127), "unknown status");
    assert_string_equal(posemb_status_message((posemb_status)12), "unknown status");
}

static void test_fail_fills_the_error(void **state)
{
    posemb_error error;

    (void)state;
    assert_int_equal(posemb__fail(&error, POSEMB_DEVICE_ERROR, -5, "%s is %d", "it", 7),
                     POSEMB_DEVICE_ERROR);
    assert_int_equal(error.status, POSEMB_DEVICE_ERROR);
    assert_int_equal(error.cl_code, -5);
    assert_string_equal(error.message, "it is 7");
}

static void test_fail_accepts_no_error(void **state)
{
    (void)state;
    assert_int_equal(posemb__fail(NULL, POSEMB_NO_DEVICE, 0, "nothing"), POSEMB_NO_DEVICE);
}

static void test_fail_cuts_a_long_message(void **state)
{
    char text[2 * POSEMB_MESSAGE_SIZE];
    posemb_error error;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    posemb__fail(&error, POSEMB_BUILD_FAILED, 0, "%s", text);
    assert_int_equal(strlen(error.message), POSEMB_MESSAGE_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_a_name),
        cmocka_unit_test(test_every_status_has_its_own_sentence),
        cmocka_unit_test(test_other_values_are_unknown),
        cmocka_unit_test(test_fail_fills_the_error),
        cmocka_unit_test(test_fail_accepts_no_error),
        cmocka_unit_test(test_fail_cuts_a_long_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
