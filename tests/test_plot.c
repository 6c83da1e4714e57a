/* Ticks and their labels, colours, where values lie, the pixels of heat maps, and PNG files. */
#include "plot.h"
#include "support/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Ticks */

static struct ticks ticks;

static void expect_labels(const char *labels)
{
    char all[TICKS_MAX * TICK_LABEL_SIZE] = "";

    for (size_t i = 0; i < ticks.count; i++) {
        strcat(all, i ? " " : "");
        strcat(all, ticks.label[i]);
    }
    assert_string_equal(all, labels);
}

static void test_linear_ticks(void **state)
{
    (void)state;
    ticks_linear(-0.5, 127.5, 8, true, &ticks);
    expect_labels("0 20 40 60 80 100 120");
    ticks_linear(-1.0, 1.0, 4, false, &ticks);
    expect_labels("\u22121.0 \u22120.5 0.0 0.5 1.0");
    ticks_linear(0.0, 100000.0, 5, true, &ticks);
    expect_labels("0 20,000 40,000 60,000 80,000 100,000");
    ticks_linear(-0.031, 0.012, 4, false, &ticks);
    expect_labels("\u22120.02 0.00");
    ticks_linear(-3e-8, 6e-8, 4, false, &ticks);
    expect_labels("0 5\u00b710\u207b\u2078");
    ticks_linear(-1.2e12, 1.2e12, 4, false, &ticks);
    expect_labels("\u22121\u00b710\u00b9\u00b2 0 1\u00b710\u00b9\u00b2");
}

static void test_whole_ticks_are_whole(void **state)
{
    (void)state;
    ticks_linear(-0.5, 0.5, 8, true, &ticks);
    expect_labels("0");
    ticks_linear(-0.5, 2.5, 8, true, &ticks);
    expect_labels("0 1 2");
    ticks_linear(4294967167.5, 4294967295.5, 4, true, &ticks);
    expect_labels("4,294,967,200 4,294,967,250");
    ticks_linear(3.0, 3.0, 8, true, &ticks);
    expect_labels("3");
}

static void test_log_ticks(void **state)
{
    (void)state;
    ticks_log(1.0, 1e4, 8, &ticks);
    expect_labels("1 10 100 1,000 10,000");
    ticks_log(1.0, 1e9, 10, &ticks);
    assert_int_equal(ticks.count, 10);
    assert_string_equal(ticks.label[0], "10\u2070");
    assert_string_equal(ticks.label[9], "10\u2079");
    ticks_log(1e-9, 2.0, 5, &ticks);
    expect_labels("10\u207b\u2079 10\u207b\u2077 10\u207b\u2075 10\u207b\u00b3 10\u207b\u00b9");
    ticks_log(3.0, 70.0, 8, &ticks);
    expect_labels("5 10 20 50");
    ticks_log(3e7, 7e8, 8, &ticks);
    expect_labels("5\u00b710\u2077 10\u2078 2\u00b710\u2078 5\u00b710\u2078");
    ticks_log(0.03, 0.7, 8, &ticks);
    expect_labels("0.05 0.1 0.2 0.5");
    ticks_log(3.0, 4.0, 8, &ticks);
    expect_labels("3.00");
}

/* Whatever an axis is asked for, its ticks lie on it, rise, and fit. */
static void test_ticks_lie_within(void **state)
{
    static const double numbers[] = {-1e300, -4e9, -1.0, -1e-7, 0.0, 1e-300, 1e-9,
                                     0.3,    1.0,  7.0,  128.0, 1e9, 1e18,   1e300};
    const size_t count = sizeof numbers / sizeof *numbers;

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t k = i; k < count; k++)
            for (int kind = 0; kind < 3; kind++) {
                const double slack = 1e-6 * (numbers[k] - numbers[i]);

                if (kind == 2 && numbers[i] <= 0.0)
                    continue;
                if (kind == 2)
                    ticks_log(numbers[i], numbers[k], 9, &ticks);
                else
                    ticks_linear(numbers[i], numbers[k], 9, kind == 1, &ticks);
                assert_in_range(ticks.count, 1, TICKS_MAX);
                for (size_t t = 0; t < ticks.count && ticks.count > 1; t++) {
                    assert_true(ticks.at[t] >= numbers[i] - slack);
                    assert_true(ticks.at[t] <= numbers[k] + slack);
                    assert_true(t == 0 || ticks.at[t] > ticks.at[t - 1]);
                    assert_true(strlen(ticks.label[t]) > 0);
                }
            }
}

static void expect_short(double value, const char *text)
{
    char shown[TICK_LABEL_SIZE];

    show_short(value, shown);
    assert_string_equal(shown, text);
}

static void test_short_numbers(void **state)
{
    (void)state;
    expect_short(0.0, "0");
    expect_short(6.2831853, "6.28");
    expect_short(35.33, "35.3");
    expect_short(229.4, "229");
    expect_short(54409.0, "54,400");
    expect_short(-54409.0, "\u221254,400");
    expect_short(0.0123, "0.01");
    expect_short(2.34e-7, "2.3\u00b710\u207b\u2077");
    expect_short(-1.25e12, "\u22121.2\u00b710\u00b9\u00b2");
    expect_short(DBL_MAX, "1.8\u00b710\u00b3\u2070\u2078");
    expect_short((double)INFINITY, "infinite");
    expect_short((double)NAN, "not a number");
}

/* ---- Colours */

struct lab {
    double l, a, b;
};

static double linear(double part)
{
    return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4);
}

static double lab_part(double t)
{
    return t > 216.0 / 24389.0 ? cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
}

/* CIELAB under D65 of linear sRGB. */
static struct lab lab_of(const double rgb[3])
{
    const double x = 0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2];
    const double y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    const double z = 0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2];
    const double fx = lab_part(x / 0.95047);
    const double fy = lab_part(y);
    const double fz = lab_part(z / 1.08883);

    return (struct lab){116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)};
}

/* What readers without one kind of cone see (Machado, Oliveira and Fernandes 2009, severity 1),
 * after what others see. */
enum { VISIONS = 4 };

static const double visions[VISIONS][3][3] = {
    {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}},
    {{0.152286, 1.052583, -0.204868},
     {0.114503, 0.786281, 0.099216},
     {-0.003882, -0.048116, 1.051998}},
    {{0.367322, 0.860646, -0.227968},
     {0.280085, 0.672501, 0.047413},
     {-0.011820, 0.042940, 0.968881}},
    {{1.255528, -0.076749, -0.178779},
     {-0.078411, 0.930809, 0.147602},
     {0.004733, 0.691367, 0.303900}},
};

static struct lab seen(colour of, int vision)
{
    const double rgb[3] = {linear(colour_part(of, 16)), linear(colour_part(of, 8)),
                           linear(colour_part(of, 0))};
    double cones[3];

    for (int i = 0; i < 3; i++) {
        cones[i] = 0.0;
        for (int k = 0; k < 3; k++)
            cones[i] += visions[vision][i][k] * rgb[k];
        cones[i] = fmin(fmax(cones[i], 0.0), 1.0);
    }
    return lab_of(cones);
}

static double distance(struct lab a, struct lab b)
{
    return hypot(hypot(a.l - b.l, a.a - b.a), a.b - b.b);
}

/* From dark to bright for everyone, in steps of much the same size. */
static void test_the_sequential_map_rises_for_everyone(void **state)
{
    (void)state;
    for (int vision = 0; vision < VISIONS; vision++)
        for (int i = 0; i < 64; i++) {
            const struct lab low = seen(colour_at(MAP_SEQUENTIAL, i / 64.0), vision);
            const struct lab high = seen(colour_at(MAP_SEQUENTIAL, (i + 1) / 64.0), vision);

            assert_true(high.l > low.l + (vision ? 0.05 : 0.6));
            assert_true(vision || high.l < low.l + 2.0);
        }
}

/* Both arms fall from the middle, alike, and no colour of one is like any of the other, for
 * everyone.
 */
static void test_the_diverging_map_has_two_arms_for_everyone(void **state)
{
    (void)state;
    for (int vision = 0; vision < VISIONS; vision++)
        for (int i = 0; i < 64; i++) {
            const double part = i / 128.0;
            const struct lab below = seen(colour_at(MAP_DIVERGING, 0.5 - part), vision);
            const struct lab above = seen(colour_at(MAP_DIVERGING, 0.5 + part), vision);
            const struct lab next =
                seen(colour_at(MAP_DIVERGING, 0.5 + part + 1.0 / 128.0), vision);

            assert_true(next.l < above.l);
            assert_true(fabs(below.l - above.l) < (vision ? 16.0 : 1.0));
            for (int k = 8; i >= 8 && k < 64; k++)
                assert_true(distance(below, seen(colour_at(MAP_DIVERGING, 0.5 + k / 128.0),
                                                 vision)) > 12.0);
        }
}

static void test_ends_and_no_numbers(void **state)
{
    (void)state;
    for (int map = MAP_SEQUENTIAL; map <= MAP_DIVERGING; map++) {
        const enum colour_map m = (enum colour_map)map;

        assert_int_equal(colour_at(m, -0.1), colour_at(m, 0.0));
        assert_int_equal(colour_at(m, (double)-INFINITY), colour_at(m, 0.0));
        assert_int_equal(colour_at(m, 1.1), colour_at(m, 1.0));
        assert_int_equal(colour_at(m, (double)NAN), colour_of_nan(m));
        for (int vision = 0; vision < VISIONS; vision++)
            for (int i = 0; i <= 100; i++)
                assert_true(distance(seen(colour_at(m, i / 100.0), vision),
                                     seen(colour_of_nan(m), vision)) > 10.0);
    }
    assert_int_equal(colour_at(MAP_SEQUENTIAL, 0.0), 0x440154);
    assert_int_equal(colour_at(MAP_SEQUENTIAL, 1.0), 0xfde725);
    assert_int_equal(colour_at(MAP_DIVERGING, 0.5), 0xf6f6f6);
}

static void test_lines_differ_for_everyone(void **state)
{
    (void)state;
    for (int vision = 0; vision < VISIONS; vision++)
        for (unsigned i = 0; i < 3; i++)
            for (unsigned k = 0; k < i; k++)
                assert_true(distance(seen(colour_of_line(i), vision),
                                     seen(colour_of_line(k), vision)) > 15.0);
}

/* ---- Where values lie */

static struct plot_frame frame_of(double width, double height)
{
    return (struct plot_frame){
        .x = 10.0,
        .y = 20.0,
        .width = width,
        .height = height,
        .across = {.least = -0.5, .most = 3.5},
        .down = {.least = 1.0, .most = 1000.0, .is_log = true},
    };
}

static void test_values_have_places(void **state)
{
    struct plot_frame frame = frame_of(80.0, 30.0);

    (void)state;
    assert_true(fabs(plot_x(&frame, -0.5) - 10.0) < 1e-9);
    assert_true(fabs(plot_x(&frame, 3.5) - 90.0) < 1e-9);
    assert_true(fabs(plot_x(&frame, 1.5) - 50.0) < 1e-9);
    assert_true(fabs(plot_y(&frame, 10.0) - 30.0) < 1e-9);
    frame.upwards = true;
    assert_true(fabs(plot_y(&frame, 10.0) - 40.0) < 1e-9);
}

/* ---- Pixels */

static struct canvas canvas;

static void begin(void)
{
    posemb_error error;

    assert_int_equal(canvas_begin(120, 90, &canvas, &error), POSEMB_OK);
}

static colour pixel(int x, int y)
{
    const unsigned char *bytes = cairo_image_surface_get_data(canvas.surface);
    uint32_t value;

    cairo_surface_flush(canvas.surface);
    memcpy(&value, bytes + y * cairo_image_surface_get_stride(canvas.surface) + 4 * x, 4);
    return value & 0xffffffu;
}

static const struct plot_scale scale = {.map = MAP_DIVERGING, .least = -1.0, .most = 1.0};

static void test_each_cell_has_its_pixels(void **state)
{
    const float values[6] = {-1.0f, 0.0f, 1.0f, NAN, INFINITY, 0.5f};
    const struct plot_cells cells = {values, 2, 3, false};
    const struct plot_frame frame = frame_of(60.0, 40.0);

    (void)state;
    begin();
    plot_heat(&canvas, &frame, &cells, &scale);
    for (int y = 0; y < 40; y++)
        for (int x = 0; x < 60; x++) {
            const float value = values[y / 20 * 3 + x / 20];

            assert_int_equal(pixel(10 + x, 20 + y),
                             isfinite(value) ? colour_at(MAP_DIVERGING, 0.5 + 0.5 * (double)value)
                                             : colour_of_nan(MAP_DIVERGING));
        }
    assert_int_equal(pixel(9, 20), 0xffffff);
    assert_int_equal(pixel(10, 19), 0xffffff);
    assert_int_equal(pixel(70, 59), 0xffffff);
    assert_int_equal(pixel(69, 60), 0xffffff);
    assert_int_equal(plot_cells_down(&frame, &cells), 1);
    assert_int_equal(plot_cells_across(&frame, &cells), 1);
    canvas_end(&canvas);
}

/* Six by eight cells on two by two pixels. */
static void test_a_pixel_has_the_mean_or_the_largest(void **state)
{
    float values[48];
    struct plot_cells cells = {values, 6, 8, false};
    const struct plot_frame frame = frame_of(2.0, 2.0);

    (void)state;
    for (int i = 0; i < 48; i++)
        values[i] = i % 2 ? 0.25f : -0.25f; /* the mean is 0 */
    values[0] = -0.25f + 12.0f * 0.5f;      /* but not in the first */
    begin();
    plot_heat(&canvas, &frame, &cells, &scale);
    assert_int_equal(pixel(10, 20), colour_at(MAP_DIVERGING, 0.75));
    assert_int_equal(pixel(11, 20), colour_at(MAP_DIVERGING, 0.5));
    assert_int_equal(pixel(10, 21), colour_at(MAP_DIVERGING, 0.5));
    assert_int_equal(plot_cells_down(&frame, &cells), 3);
    assert_int_equal(plot_cells_across(&frame, &cells), 4);
    values[47] = -0.75f;
    values[7] = NAN;
    cells.largest = true;
    plot_heat(&canvas, &frame, &cells, &scale);
    assert_int_equal(pixel(10, 20), colour_at(MAP_DIVERGING, 1.0));
    assert_int_equal(pixel(11, 20), colour_of_nan(MAP_DIVERGING));
    assert_int_equal(pixel(11, 21), colour_at(MAP_DIVERGING, 0.125));
    canvas_end(&canvas);
}

static bool is_drawn(int x, int y)
{
    return pixel(x, y) != 0xffffff;
}

/* A line breaks where there is no number, stays within its frame, and a lone point is a dot. */
static void test_lines(void **state)
{
    const struct plot_style style = {0x0072b2, 2.0, 0.0, 1.0};
    const struct plot_frame frame = {
        .x = 10.0,
        .y = 10.0,
        .width = 100.0,
        .height = 60.0,
        .across = {.least = 0.0, .most = 10.0},
        .down = {.least = 0.0, .most = 1.0},
        .upwards = true,
    };
    const double x[] = {-5.0, 2.0, 3.0, 4.0, 5.0, 6.0, 15.0};
    const double y[] = {0.5, 0.5, NAN, 0.5, NAN, 0.5, 0.5};

    (void)state;
    begin();
    plot_line(&canvas, &frame, x, y, 7, &style);
    assert_true(is_drawn(12, 40) && is_drawn(28, 40) && is_drawn(50, 40) && is_drawn(50, 38));
    assert_false(is_drawn(38, 40) || is_drawn(60, 40) || is_drawn(8, 40) || is_drawn(111, 40));
    assert_true(is_drawn(75, 40) && is_drawn(108, 40));
    assert_false(is_drawn(20, 33) || is_drawn(20, 47));
    canvas_end(&canvas);
}

static void test_axes_and_texts_leave_the_inside_alone(void **state)
{
    struct plot_frame frame = frame_of(60.0, 40.0);
    size_t outside = 0;

    (void)state;
    frame.x = 40.0;
    frame.across.ticks = frame.down.ticks = 4;
    begin();
    plot_axes(&canvas, &frame);
    for (int y = 0; y < 90; y++)
        for (int x = 0; x < 120; x++) {
            const bool inside = x >= 40 && x < 100 && y >= 20 && y < 60;

            assert_false(inside && is_drawn(x, y));
            outside += is_drawn(x, y);
        }
    assert_true(outside > 200);
    canvas_end(&canvas);
}

static void test_paragraphs_stay_within_their_width(void **state)
{
    const double lines = 4.0;
    double end;

    (void)state;
    begin();
    end = canvas_paragraph(&canvas, 10.0, 20.0, 80.0, TEXT_SMALL,
                           "some words that do not fit one line of so few pixels");
    for (int y = 0; y < 90; y++)
        for (int x = 92; x < 120; x++)
            assert_false(is_drawn(x, y));
    assert_true(end > 20.0 + (lines - 1.0) * TEXT_SMALL);
    assert_true(canvas_paragraph(&canvas, 10.0, 20.0, 80.0, TEXT_SMALL, "") < 21.0);
    canvas_end(&canvas);
}

/* ---- Files */

static void test_png_files(void **state)
{
    static const unsigned char head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,
                                         0,    0,   13,  'I', 'H',  'D',  'R',  0,    0,
                                         0,    120, 0,   0,   0,    90,   8};
    unsigned char bytes[8192];
    char path[TEMP_PATH_SIZE];
    posemb_error error;
    size_t size;

    (void)state;
    temp_file_path(&test_folder, "out.png", path);
    begin();
    canvas_cut(&canvas, 1000); /* there is less */
    assert_int_equal(canvas_write(&canvas, path, &error), POSEMB_OK);
    size = temp_file_read(path, bytes, sizeof bytes);
    assert_in_range(size, sizeof head + 12, sizeof bytes);
    assert_memory_equal(bytes, head, sizeof head);
    assert_memory_equal(bytes + size - 8, "IEND\xae\x42\x60\x82", 8);
    canvas_cut(&canvas, 45);
    assert_int_equal(canvas_write(&canvas, path, &error), POSEMB_OK);
    temp_file_read(path, bytes, sizeof bytes);
    assert_int_equal(bytes[23], 45);
    assert_int_equal(temp_folder_count(&test_folder), 1);
    temp_file_path(&test_folder, "none/out.png", path);
    assert_int_equal(canvas_write(&canvas, path, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "none/out.png");
    assert_int_equal(temp_folder_count(&test_folder), 1);
    canvas_end(&canvas);
}

static void test_a_canvas_that_failed_writes_nothing(void **state)
{
    char path[TEMP_PATH_SIZE];
    posemb_error error;
    size_t before;

    (void)state;
    before = temp_folder_count(&test_folder);
    temp_file_path(&test_folder, "failed.png", path);
    begin();
    cairo_set_dash(canvas.cairo, (const double[]){-1.0}, 1, 0.0); /* a status that stays */
    assert_int_equal(canvas_write(&canvas, path, &error), POSEMB_OUT_OF_MEMORY);
    assert_said(&error, "failed.png");
    assert_int_equal(temp_folder_count(&test_folder), before);
    canvas_end(&canvas);
}

static void test_sizes_beyond_cairo_are_refused(void **state)
{
    posemb_error error;

    (void)state;
    assert_int_equal(canvas_begin(100000, 10, &canvas, &error), POSEMB_OUT_OF_MEMORY);
    assert_said(&error, "100000 x 10");
    assert_null(canvas.cairo);
    canvas_end(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_ticks),
        cmocka_unit_test(test_whole_ticks_are_whole),
        cmocka_unit_test(test_log_ticks),
        cmocka_unit_test(test_ticks_lie_within),
        cmocka_unit_test(test_short_numbers),
        cmocka_unit_test(test_the_sequential_map_rises_for_everyone),
        cmocka_unit_test(test_the_diverging_map_has_two_arms_for_everyone),
        cmocka_unit_test(test_ends_and_no_numbers),
        cmocka_unit_test(test_lines_differ_for_everyone),
        cmocka_unit_test(test_values_have_places),
        cmocka_unit_test(test_each_cell_has_its_pixels),
        cmocka_unit_test(test_a_pixel_has_the_mean_or_the_largest),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_axes_and_texts_leave_the_inside_alone),
        cmocka_unit_test(test_paragraphs_stay_within_their_width),
        cmocka_unit_test(test_png_files),
        cmocka_unit_test(test_a_canvas_that_failed_writes_nothing),
        cmocka_unit_test(test_sizes_beyond_cairo_are_refused),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
