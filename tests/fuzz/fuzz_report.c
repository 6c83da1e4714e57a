/* Any bytes as the records of posemb bench, and what is made of those that are accepted. */
#include "fuzz.h"
#include "report.h"

#include <stdbool.h>
#include <string.h>

/* Tags are opened and closed, and no byte of a text can be taken for one. */
static void check_markup(const struct markup *markup)
{
    size_t depth = 0;

    for (const char *at = markup->bytes; (at = strchr(at, '<'));) {
        const char *end = at + strcspn(at + 1, "<>") + 1;

        fuzz_expect(*end == '>', "a tag has an end");
        if (at[1] == '/')
            fuzz_expect(depth-- > 0, "what is closed was open");
        else
            depth += at[1] != '!' && end[-1] != '/';
        at = end;
    }
    fuzz_expect(depth == 0, "what is open is closed");
}

static void check(const struct report *report,
                  void (*write)(const struct report *report, struct markup *markup), bool is_xml)
{
    struct markup markup = {0};

    write(report, &markup);
    fuzz_expect(!markup.failed && markup.size > 0, "it is made");
    fuzz_expect(strlen(markup.bytes) == markup.size, "it has no zeros");
    if (is_xml)
        check_markup(&markup);
    markup_free(&markup);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];
    struct report_records records = {0};
    struct report report = {.records = &records};
    posemb_error error = {.message = ""};

    fuzz_write("in.jsonl", bytes, size, path);
    if (fuzz_accepted(report_records_read(&records, path, &error), &error)) {
        fuzz_expect(report_bits_compare(&records, &report.bits, &error) == POSEMB_OK,
                    "there is memory");
        check(&report, report_write_page, true);
        check(&report, report_write_picture, true);
        check(&report, report_write_markdown, false);
    }
    report_bits_free(&report.bits);
    report_records_free(&records);
    return 0;
}
