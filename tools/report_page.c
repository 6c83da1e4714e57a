/* The report as one HTML page: no script, no other file, no network. */
#include "html.h"
#include "report_names.h"
#include "report_sections.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1b1f24;--quiet:#57606a;"
    "--line:#d5dae0;--good:#00664a;--good-ground:#e2f5ee;--bad:#a33300;--bad-ground:#fdece3;"
    "--link:#00598c}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",\"DejaVu Sans\",sans-serif;overflow-wrap:anywhere}\n"
    "main,header,footer{max-width:1200px;margin:0 auto;padding:0 16px}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:28px 0 4px}\n"
    "h2{font-size:1.25rem;line-height:1.3;margin:40px 0 8px}\n"
    "h3{font-size:1rem;line-height:1.35;margin:0 0 8px}\n"
    "p{margin:0 0 12px;max-width:46rem}.quiet,footer{color:var(--quiet)}a{color:var(--link)}\n"
    "code{font:.88em ui-monospace,\"DejaVu Sans Mono\",monospace}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:14px 0;padding:0}\n"
    ".verdict{margin:18px 0;padding:12px 16px;border-left:6px solid var(--quiet);border-radius:6px;"
    "background:var(--card);max-width:none}\n"
    ".verdict.same{border-color:var(--good);background:var(--good-ground)}\n"
    ".verdict.differ{border-color:var(--bad);background:var(--bad-ground)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:0 0 12px;padding:0;"
    "font-size:.9rem}\n"
    ".mark{vertical-align:-3px;margin-right:5px}\n"
    ".figures{columns:340px 3;column-gap:16px;margin-bottom:16px}"
    "figure{break-inside:avoid}.figures figure{margin:0 0 16px}\n"
    "figure,.card{padding:12px;background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;min-width:0}\n"
    "figcaption{font-weight:600;margin-bottom:8px;line-height:1.35}\n"
    "figure svg{display:block;width:100%;max-width:480px;height:auto}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:"
    "16px}\n"
    "dl{margin:0;font-size:.9rem}.card dl{display:grid;grid-template-columns:9.5rem 1fr;gap:2px "
    "10px}\n"
    "dt{color:var(--quiet)}dd{margin:0}.words "
    "dt{color:var(--text);font-weight:600;margin-top:8px}\n"
    ".words{max-width:46rem}\n"
    ".scroll{overflow-x:auto;margin:0 0 16px;background:var(--card);border:1px solid var(--line);"
    "border-radius:8px}\n"
    ".scroll:focus-visible{outline:2px solid var(--link)}\n"
    "table{border-collapse:collapse;font-size:.875rem;width:100%;overflow-wrap:normal}\n"
    "caption{text-align:left;padding:10px 12px 6px;font-weight:600;min-width:300px}\n"
    "caption span{display:inline-block;position:sticky;left:12px;max-width:calc(100vw - 58px)}\n"
    "th,td{padding:5px 12px;text-align:left;vertical-align:top;border-top:1px solid var(--line)}\n"
    "thead th{vertical-align:bottom;color:var(--quiet);font-weight:600;min-width:5.5rem}thead "
    "th:first-child{min-width:0}\n"
    "tbody "
    "th{font-weight:600;min-width:2.5rem}td{min-width:6.5rem;max-width:24rem}.r{text-align:right}\n"
    ".n{min-width:0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".d{font:.82rem ui-monospace,\"DejaVu Sans Mono\",monospace;white-space:nowrap}\n"
    "tr.bad>*{background:var(--bad-ground)}\n"
    "details{margin:0 0 16px}summary{cursor:pointer;padding:6px 0;font-weight:600}\n"
    "footer{margin-top:48px;padding-bottom:32px;font-size:.875rem}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--page:#0d1013;--card:#14171b;"
    "--text:#e9ebee;--quiet:#a3abb5;--line:#2c3239;--good:#2cc295;--good-ground:#0e2a22;"
    "--bad:#ff8b4a;--bad-ground:#33190c;--link:#7cc4f0}}\n"
    "@media (max-width:480px){body{font-size:15px}.card dl{grid-template-columns:7rem 1fr}}\n"
    "@media print{body{font-size:10pt;background:#fff}main,header,footer{max-width:none;padding:0}"
    "nav{display:none}figure,.card,tr{break-inside:avoid}.scroll{overflow:visible;border:0}"
    "table{font-size:7.5pt}th,td{padding:2px 4px}h2{break-after:avoid}}\n";

static const struct section {
    const char *id;
    const char *title;
    report_section write;
} sections[] = {
    {"glance", "At a glance", section_glance},
    {"shares", "Share of the copy limit", section_shares},
    {"gains", "Against other ways to do it", section_gains},
    {"accuracy", "Accuracy against position", section_accuracy},
    {"small", "Below a MiB", section_small},
    {"first-calls", "First calls", section_first_calls},
    {"bits", "The same bits", section_bits},
    {"rules", "Position rules", section_rules},
    {"enqueue", "The cost of a call", section_enqueue},
    {"split", "Several devices", section_split},
    {"packages", "Other packages", section_peers},
    {"timers", "Timers that disagree", section_timing},
    {"skipped", "What was skipped, and why", section_skipped},
    {"devices", "Devices", section_devices},
    {"reading", "How to read it", section_reading},
    {"numbers", "The numbers", section_numbers},
};

static void write_head(struct markup *page)
{
    markup_add(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
        "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
        "<title>posemb: devices side by side</title>\n<style>\n");
    markup_add(page, style);
    svg_style(page);
    markup_add(page, "</style>\n</head>\n<body>\n");
}

static void write_files(const struct report *report, struct markup *page)
{
    const struct report_records *records = report->records;

    markup_format(page, "<p class=\"quiet\">%zu run%s, %zu records, from ", records->run_count,
                  records->run_count == 1 ? "" : "s", records->count);
    for (size_t i = 0; i < records->file_count; i++) {
        markup_add(page, i ? ", <code>" : "<code>");
        markup_escape(page, records->files[i]);
        markup_add(page, "</code>");
    }
    markup_add(page, "</p>\n");
}

static void write_verdict(const struct report *report, struct markup *page)
{
    static const char *const classes[] = {
        [OUTCOME_NOTHING] = "nothing", [OUTCOME_SAME] = "same", [OUTCOME_DIFFER] = "differ"};
    struct markup sentence = {0};
    const enum report_outcome outcome = report_verdict(report, &sentence);

    page->failed = page->failed || sentence.failed;
    if (!page->failed)
        markup_format(page, "<p id=\"verdict\" class=\"verdict %s\">%s</p>\n", classes[outcome],
                      sentence.bytes);
    markup_free(&sentence);
}

static void write_section(const struct section *section, const struct markup *body,
                          struct markup *navigation, struct markup *content)
{
    markup_format(navigation, "<li><a href=\"#%s\">%s</a></li>\n", section->id, section->title);
    markup_format(content, "<section id=\"%s\">\n<h2>%s</h2>\n", section->id, section->title);
    markup_add(content, body->bytes);
    markup_add(content, "</section>\n");
}

static void write_sections(const struct report *report, struct markup *navigation,
                           struct markup *content)
{
    for (size_t i = 0; i < COUNT(sections); i++) {
        struct markup body = {0};

        sections[i].write(report, &body);
        content->failed = content->failed || body.failed;
        if (body.size > 0 && !body.failed)
            write_section(&sections[i], &body, navigation, content);
        markup_free(&body);
    }
}

void report_write_page(const struct report *report, struct markup *page)
{
    struct markup navigation = {0};
    struct markup content = {0};

    write_sections(report, &navigation, &content);
    write_head(page);
    markup_add(page, "<header>\n<h1>posemb: devices side by side</h1>\n");
    write_files(report, page);
    write_verdict(report, page);
    page->failed = page->failed || navigation.failed || content.failed;
    if (!page->failed) {
        markup_add(page, "<nav aria-label=\"Sections\"><ul>\n");
        markup_add(page, navigation.bytes);
        markup_add(page, "</ul></nav>\n</header>\n<main>\n");
        markup_add(page, content.bytes);
    }
    markup_add(page,
               "</main>\n<footer>Made by <code>posemb report</code> from the records of "
               "<code>posemb bench</code>. Ratios are of one run each; nothing is averaged over "
               "devices.</footer>\n</body>\n</html>\n");
    markup_free(&navigation);
    markup_free(&content);
}
