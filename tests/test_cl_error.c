/* From the codes of a driver to statuses and messages. */
#include "cl_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(posemb__cl_name(CL_SUCCESS), "CL_SUCCESS");
    assert_string_equal(posemb__cl_name(-5), "CL_OUT_OF_RESOURCES");
    assert_string_equal(posemb__cl_name(-11), "CL_BUILD_PROGRAM_FAILURE");
    assert_string_equal(posemb__cl_name(-64), "CL_INVALID_PROPERTY");
    assert_string_equal(posemb__cl_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
}

static void test_other_codes_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(posemb__cl_name(1), "unknown OpenCL code");
    assert_string_equal(posemb__cl_name(-9999), "unknown OpenCL code");
}

static void test_codes_have_statuses(void **state)
{
    static const struct {
        cl_int code;
        posemb_status status;
    } rows[] = {
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, POSEMB_OUT_OF_MEMORY},
        {CL_OUT_OF_RESOURCES, POSEMB_OUT_OF_MEMORY},
        {CL_OUT_OF_HOST_MEMORY, POSEMB_OUT_OF_MEMORY},
        {CL_DEVICE_NOT_FOUND, POSEMB_NO_DEVICE},
        {CL_DEVICE_NOT_AVAILABLE, POSEMB_NO_DEVICE},
        {CL_INVALID_VALUE, POSEMB_DEVICE_ERROR},
        {-9999, POSEMB_DEVICE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_error error;

        assert_int_equal(posemb__cl_fail(&error, rows[i].code, "clDo"), rows[i].status);
        assert_int_equal(error.status, rows[i].status);
        assert_int_equal(error.cl_code, rows[i].code);
    }
}

static void test_the_message_names_call_and_code(void **state)
{
    posemb_error error;

    (void)state;
    posemb__cl_fail(&error, CL_INVALID_EVENT, "clEnqueueIt");
    assert_string_equal(error.message, "clEnqueueIt: CL_INVALID_EVENT (-58)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_names),
        cmocka_unit_test(test_other_codes_are_unknown),
        cmocka_unit_test(test_codes_have_statuses),
        cmocka_unit_test(test_the_message_names_call_and_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
