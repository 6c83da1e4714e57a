/* Listing devices, picking one, and what posemb asks of it. */
#include "device.h"

#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_says(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
}

/* All devices, in memory that the caller frees. */
static posemb_device_info *list_all(size_t *count)
{
    posemb_device_info *devices;

    assert_int_equal(posemb_devices_list(NULL, 0, count, NULL), POSEMB_OK);
    assert_true(*count > 0);
    devices = calloc(*count, sizeof *devices);
    assert_non_null(devices);
    assert_int_equal(posemb_devices_list(devices, *count, count, NULL), POSEMB_OK);
    return devices;
}

static void test_the_list_describes_every_device(void **state)
{
    size_t count;
    posemb_device_info *devices = list_all(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(devices[i].index, i);
        assert_non_null(devices[i].platform);
        assert_non_null(devices[i].device);
        assert_true(devices[i].type != 0);
        assert_true(devices[i].compute_units > 0);
        assert_true(devices[i].max_work_group_size > 0);
        assert_true(devices[i].global_memory >= devices[i].max_allocation);
        assert_true(strlen(devices[i].platform_name) > 0);
        assert_true(strlen(devices[i].name) > 0);
        assert_true(strncmp(devices[i].version, "OpenCL ", 7) == 0);
    }
    free(devices);
}

static void test_a_short_list_is_filled_as_far_as_it_goes(void **state)
{
    size_t all;
    posemb_device_info *devices = list_all(&all);

    (void)state;
    for (size_t capacity = 0; capacity < all; capacity++) {
        posemb_device_info *some = calloc(all, sizeof *some);
        size_t count = 0;

        assert_non_null(some);
        assert_int_equal(posemb_devices_list(some, capacity, &count, NULL), POSEMB_OK);
        assert_int_equal(count, all);
        for (size_t i = 0; i < all; i++)
            assert_ptr_equal(some[i].device, i < capacity ? devices[i].device : NULL);
        free(some);
    }
    free(devices);
}

static void test_a_long_list_keeps_its_rest(void **state)
{
    size_t all, count;
    posemb_device_info *devices = list_all(&all);

    (void)state;
    devices = realloc(devices, (all + 1) * sizeof *devices);
    assert_non_null(devices);
    memset(&devices[all], 0, sizeof *devices);
    assert_int_equal(posemb_devices_list(devices, all + 1, &count, NULL), POSEMB_OK);
    assert_int_equal(count, all);
    assert_null(devices[all].device);
    free(devices);
}

static void test_the_list_needs_its_arguments(void **state)
{
    posemb_error error;
    size_t count = 77;

    (void)state;
    assert_int_equal(posemb_devices_list(NULL, 0, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "count is NULL");
    assert_int_equal(posemb_devices_list(NULL, 1, &count, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "devices is NULL");
    assert_int_equal(count, 77);
}

static void test_no_selector_picks_the_first_usable_device(void **state)
{
    size_t count, first = 0;
    posemb_device_info *devices = list_all(&count);
    posemb_device_info picked;

    (void)state;
    while (first < count && posemb__device_check(&devices[first], NULL) != POSEMB_OK)
        first++;
    assert_true(first < count);
    assert_int_equal(posemb_device_pick(NULL, &picked, NULL), POSEMB_OK);
    assert_int_equal(picked.index, first);
    assert_int_equal(posemb_device_pick("", &picked, NULL), POSEMB_OK);
    assert_int_equal(picked.index, first);
    free(devices);
}

static void test_a_number_picks_that_device(void **state)
{
    size_t count;
    posemb_device_info *devices = list_all(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char selector[32];
        posemb_device_info picked;

        snprintf(selector, sizeof selector, "%zu", i);
        assert_int_equal(posemb_device_pick(selector, &picked, NULL), POSEMB_OK);
        assert_int_equal(picked.index, i);
        assert_ptr_equal(picked.device, devices[i].device);
        assert_string_equal(picked.name, devices[i].name);
    }
    free(devices);
}

static void test_a_part_of_the_name_picks_in_any_case(void **state)
{
    size_t count;
    posemb_device_info *devices = list_all(&count);
    char selector[sizeof devices->name + 5] = "name:";
    posemb_device_info picked;

    (void)state;
    snprintf(selector + 5, sizeof selector - 5, "%s",
             devices[0].name + strlen(devices[0].name) / 2);
    assert_int_equal(posemb_device_pick(selector, &picked, NULL), POSEMB_OK);
    assert_non_null(strstr(picked.name, selector + 5));
    for (char *c = selector + 5; *c; c++)
        *c = (char)(isupper((unsigned char)*c) ? tolower((unsigned char)*c)
                                               : toupper((unsigned char)*c));
    assert_int_equal(posemb_device_pick(selector, &picked, NULL), POSEMB_OK);
    free(devices);
}

static void test_a_whole_name_picks_its_first_device(void **state)
{
    size_t count;
    posemb_device_info *devices = list_all(&count);
    char selector[sizeof devices->name + 5];
    posemb_device_info picked;

    (void)state;
    snprintf(selector, sizeof selector, "name:%s", devices[count - 1].name);
    assert_int_equal(posemb_device_pick(selector, &picked, NULL), POSEMB_OK);
    for (size_t i = 0; i < picked.index; i++)
        assert_null(strstr(devices[i].name, devices[count - 1].name));
    free(devices);
}

static void test_other_selectors_are_refused(void **state)
{
    static const char *const bad[] = {"x",
                                      "-1",
                                      "+1",
                                      " 0",
                                      "0 ",
                                      "1x",
                                      "0x0",
                                      "name",
                                      "name:",
                                      "NAME:a",
                                      "99999999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        posemb_device_info picked = {.index = 77};
        posemb_error error;

        if (posemb_device_pick(bad[i], &picked, &error) != POSEMB_INVALID_ARGUMENT)
            fail_msg("\"%s\" is taken for a selector", bad[i]);
        assert_says(&error, bad[i]);
        assert_int_equal(picked.index, 77);
    }
}

static void test_no_such_device_lists_those_there_are(void **state)
{
    static const char *const none[] = {"1000000", "name:no device has such a name"};
    size_t count;
    posemb_device_info *devices = list_all(&count);

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        posemb_device_info picked = {.index = 77};
        posemb_error error;

        assert_int_equal(posemb_device_pick(none[i], &picked, &error), POSEMB_NO_DEVICE);
        assert_says(&error, none[i]);
        assert_says(&error, "0: ");
        assert_says(&error, devices[0].name);
        assert_int_equal(picked.index, 77);
    }
    free(devices);
}

static void test_pick_needs_a_place(void **state)
{
    posemb_error error;

    (void)state;
    assert_int_equal(posemb_device_pick(NULL, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "info is NULL");
}

static void test_an_old_version_is_unsupported(void **state)
{
    static const struct {
        const char *version;
        posemb_status status;
    } rows[] = {
        {"OpenCL 1.1 x", POSEMB_UNSUPPORTED}, {"OpenCL 1.0", POSEMB_UNSUPPORTED},
        {"OpenGL 4.6", POSEMB_UNSUPPORTED},   {"", POSEMB_UNSUPPORTED},
        {"OpenCL 1.2 x", POSEMB_OK},          {"OpenCL 2.0", POSEMB_OK},
        {"OpenCL 3.0 x", POSEMB_OK},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_device_info info = *posemb_session_device(*state);
        posemb_error error = {.message = "is older"};

        snprintf(info.version, sizeof info.version, "%s", rows[i].version);
        assert_int_equal(posemb__device_check(&info, &error), rows[i].status);
        assert_says(&error, "is older");
    }
}

static void test_shape_follows_the_driver(void **state)
{
    static const struct {
        const char *platform;
        cl_device_type type;
        posemb_kernel_shape shape;
    } rows[] = {
        {"Portable Computing Language", CL_DEVICE_TYPE_CPU, POSEMB_SHAPE_CPU},
        {"Intel", CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_DEFAULT, POSEMB_SHAPE_CPU},
        {"NVIDIA CUDA", CL_DEVICE_TYPE_GPU, POSEMB_SHAPE_GPU},
        {"Other", CL_DEVICE_TYPE_ACCELERATOR, POSEMB_SHAPE_GPU},
        {"Oclgrind", CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU, POSEMB_SHAPE_GPU},
        {"rusticl", CL_DEVICE_TYPE_CPU, POSEMB_SHAPE_GPU},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_device_info info = {.type = rows[i].type};

        snprintf(info.platform_name, sizeof info.platform_name, "%s", rows[i].platform);
        assert_int_equal(posemb__device_shape(&info), rows[i].shape);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_list_describes_every_device),
        cmocka_unit_test(test_a_short_list_is_filled_as_far_as_it_goes),
        cmocka_unit_test(test_a_long_list_keeps_its_rest),
        cmocka_unit_test(test_the_list_needs_its_arguments),
        cmocka_unit_test(test_no_selector_picks_the_first_usable_device),
        cmocka_unit_test(test_a_number_picks_that_device),
        cmocka_unit_test(test_a_part_of_the_name_picks_in_any_case),
        cmocka_unit_test(test_a_whole_name_picks_its_first_device),
        cmocka_unit_test(test_other_selectors_are_refused),
        cmocka_unit_test(test_no_such_device_lists_those_there_are),
        cmocka_unit_test(test_pick_needs_a_place),
        cmocka_unit_test(test_an_old_version_is_unsupported),
        cmocka_unit_test(test_shape_follows_the_driver),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
