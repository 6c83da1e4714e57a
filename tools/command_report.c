/* posemb report: the records of posemb bench as a page, a picture, a table. */
#include "command.h"
#include "file_bytes.h"
#include "report.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: posemb report FILE... [--out FILE.html] [--svg FILE.svg] [--markdown[=FILE]]\n\n"
    "Put the devices side by side that posemb bench --json FILE has measured. Nothing is averaged\n"
    "over devices or runs. At least one of the options is needed:\n\n"
    "  --out       one HTML page with plots and tables; it needs no other file, script or network\n"
    "  --svg       one picture: share of the copy limit by shape, errors against position\n"
    "  --markdown  a table in Markdown, on standard output or in a file\n\n"
    "Records are JSON lines of schema 2, or of schema 1; bench/README.md documents them. A line "
    "that\n"
    "is wrong is refused by its number, and then nothing is written; kinds and keys that are not\n"
    "known are passed over. Up to 26 runs can be put side by side.\n";

enum { OPTION_OUT = 256, OPTION_SVG, OPTION_MARKDOWN, OPTION_HELP = 'h' };

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"out", required_argument, NULL, OPTION_OUT},
    {"svg", required_argument, NULL, OPTION_SVG},
    {"markdown", optional_argument, NULL, OPTION_MARKDOWN},
    {NULL, 0, NULL, 0}};

/* ---- What is made */

enum { PRODUCT_PAGE, PRODUCT_PICTURE, PRODUCT_TABLE, PRODUCTS };

struct product {
    const char *option;
    void (*write)(const struct report *report, struct markup *markup);
    bool is_wanted;
    const char *path; /* NULL: standard output */
    struct markup markup;
    struct file_output output;
};

static posemb_status make_products(const struct report *report, struct product *products,
                                   posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < PRODUCTS; i++) {
        if (!products[i].is_wanted)
            continue;
        products[i].write(report, &products[i].markup);
        status = markup_check(&products[i].markup, error);
    }
    return status;
}

/* No file takes its place before all are complete. */
static posemb_status save_products(struct product *products, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < PRODUCTS; i++) {
        struct product *product = &products[i];

        if (!product->path)
            continue;
        status = file_output_begin(product->path, &product->output, error);
        if (status == POSEMB_OK)
            status = file_output_write(&product->output, product->markup.bytes,
                                       product->markup.size, error);
    }
    for (size_t i = 0; status == POSEMB_OK && i < PRODUCTS; i++)
        if (products[i].path)
            status = file_output_commit(&products[i].output, error);
    return status;
}

static void free_products(struct product *products)
{
    for (size_t i = 0; i < PRODUCTS; i++) {
        file_output_abandon(&products[i].output);
        markup_free(&products[i].markup);
    }
}

/* ---- What it is made of */

static posemb_status read_files(char **paths, int count, struct report_records *records,
                                posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < count; i++)
        status = report_records_read(records, paths[i], error);
    return status;
}

static int make(char **paths, int count, struct product *products)
{
    struct report_records records = {0};
    struct report report = {.records = &records};
    posemb_error error;
    posemb_status status = read_files(paths, count, &records, &error);

    if (status == POSEMB_OK && records.count + records.run_count == 0) {
        fprintf(stderr, "posemb: there are no records in these files\n");
        report_records_free(&records);
        return EXIT_FAILED;
    }
    if (status == POSEMB_OK)
        status = report_bits_compare(&records, &report.bits, &error);
    if (status == POSEMB_OK)
        status = make_products(&report, products, &error);
    report_bits_free(&report.bits);
    report_records_free(&records);
    if (status == POSEMB_OK)
        status = save_products(products, &error);
    if (status != POSEMB_OK)
        return command_failed(&error);
    if (products[PRODUCT_TABLE].is_wanted && !products[PRODUCT_TABLE].path)
        fputs(products[PRODUCT_TABLE].markup.bytes, stdout);
    return EXIT_DONE;
}

/* ---- The options */

/* The outputs are other files than the inputs, and than one another. */
static int check_paths(const char *command, const struct product *products, char **paths, int count)
{
    for (size_t i = 0; i < PRODUCTS; i++) {
        if (!products[i].path)
            continue;
        for (int j = 0; j < count; j++)
            if (file_same(products[i].path, paths[j]))
                return command_usage(command, "%s is \"%s\", which has records", products[i].option,
                                     paths[j]);
        for (size_t j = 0; j < i; j++)
            if (products[j].path && file_same(products[i].path, products[j].path))
                return command_usage(command, "%s and %s are both \"%s\"", products[j].option,
                                     products[i].option, products[i].path);
    }
    return EXIT_DONE;
}

/* Fill the products; -1 where --help was printed. */
static int parse(int count, char **arguments, struct product *products)
{
    int letter;

    optind = 1;
    while ((letter = getopt_long(count, arguments, "h", options_taken, NULL)) != -1) {
        if (letter == OPTION_HELP) {
            fputs(help, stdout);
            return -1;
        }
        if (letter == '?')
            return command_usage(arguments[0], "the options are wrong");
        products[letter - OPTION_OUT].is_wanted = true;
        products[letter - OPTION_OUT].path = optarg;
    }
    if (optind == count)
        return command_usage(arguments[0], "files of records are needed");
    if (!products[PRODUCT_PAGE].is_wanted && !products[PRODUCT_PICTURE].is_wanted &&
        !products[PRODUCT_TABLE].is_wanted)
        return command_usage(arguments[0], "--out, --svg or --markdown is needed");
    return check_paths(arguments[0], products, arguments + optind, count - optind);
}

int command_report(int count, char **arguments)
{
    struct product products[PRODUCTS] = {
        [PRODUCT_PAGE] = {.option = "--out", .write = report_write_page},
        [PRODUCT_PICTURE] = {.option = "--svg", .write = report_write_picture},
        [PRODUCT_TABLE] = {.option = "--markdown", .write = report_write_markdown},
    };
    int status = parse(count, arguments, products);

    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    status = make(arguments + optind, count - optind, products);
    free_products(products);
    return status;
}
