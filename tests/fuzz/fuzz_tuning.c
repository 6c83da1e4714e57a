/* Any bytes as tuning text. */
#include "desc.h"
#include "fuzz.h"
#include "tuning.h"

#include <stdlib.h>
#include <string.h>

/* Every value that entries set is in its range, and is read again as it is written. */
static void check_values(const struct posemb__tuning *tuning)
{
    const unsigned all = (1u << POSEMB__SETTINGS) - 1u;
    struct posemb__tuning_subject subject = {.platform = "", .device = "", .driver = ""};
    struct posemb__tuning_text again;
    struct posemb__tuning found;
    char line[POSEMB__TUNING_LINE_SIZE];

    for (int k = 0; k < POSEMB__SETTINGS; k++) {
        const struct posemb__setting_info *info = posemb__setting_info((enum posemb__setting)k);
        const uint64_t value = tuning->value[k];

        fuzz_expect((value == 0 && info->none) || (value >= info->least && value <= info->most),
                    "values are in their range");
        fuzz_expect(!info->power || (value & (value - 1)) == 0, "powers of two are");
    }
    posemb__tuning_format(tuning, all, line);
    fuzz_expect(posemb__tuning_parse(line, &again, NULL) == POSEMB_OK, "what is written is read");
    found = posemb__tuning_find(&again, 1, &subject);
    fuzz_expect(memcmp(&found, tuning, sizeof found) == 0, "as it was");
    posemb__tuning_free(&again);
}

/* What the text says of several descriptions, over what is built in. */
static void check_text(const struct posemb__tuning_text *text)
{
    struct posemb__tuning_text texts[2] = {{NULL, NULL, 0}, *text};

    fuzz_expect(posemb__tuning_parse(posemb__tuning_builtin, &texts[0], NULL) == POSEMB_OK,
                "what is built in is good");
    for (int i = 0; i < 4; i++) {
        const posemb_desc given = {.dim = 384,
                                   .operation = i == 3 ? POSEMB_ADD : POSEMB_ENCODE,
                                   .norm = i % 2 ? POSEMB_NORM_LAYER : POSEMB_NORM_NONE};
        const char *const name = i % 2 ? "pthread-AMD EPYC" : "";
        posemb_desc desc;
        const struct posemb__tuning_subject subject = {.platform = name,
                                                       .device = name,
                                                       .driver = name,
                                                       .is_cpu = i < 2,
                                                       .shape = i < 2 ? POSEMB__CPU : POSEMB__GPU,
                                                       .desc = i == 2 ? NULL : &desc};
        struct posemb__tuning tuning;

        fuzz_expect(posemb_desc_resolve(&given, &desc, NULL) == POSEMB_OK, "it is a description");
        tuning = posemb__tuning_find(texts, 2, &subject);
        check_values(&tuning);
    }
    posemb__tuning_free(&texts[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    struct posemb__tuning_text parsed;
    posemb_error error = {.message = ""};

    fuzz_expect(text != NULL, "there is memory");
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (fuzz_accepted(posemb__tuning_parse(text, &parsed, &error), &error))
        check_text(&parsed);
    posemb__tuning_free(&parsed);
    free(text);
    return 0;
}
