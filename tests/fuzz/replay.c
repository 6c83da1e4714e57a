/* replay FOLDER: gives each file of the folder to the fuzz target, and each of its beginnings. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_MAX ((size_t)1 << 20)

static size_t read_seed(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    fuzz_expect(file != NULL, "a seed can be read");
    size = fread(bytes, 1, SEED_MAX, file);
    fuzz_expect(!ferror(file) && feof(file), "a seed can be read as a whole");
    fclose(file);
    return size;
}

static void replay(const uint8_t *bytes, size_t size)
{
    for (size_t cut = 0; cut < size && size <= 4096; cut++) {
        uint8_t *exact = malloc(cut + 1); /* of its own, so that a sanitizer sees its end */

        fuzz_expect(exact != NULL, "there is memory");
        memcpy(exact, bytes, cut);
        exact = realloc(exact, cut ? cut : 1);
        fuzz_expect(exact != NULL, "there is memory");
        LLVMFuzzerTestOneInput(exact, cut);
        free(exact);
    }
    LLVMFuzzerTestOneInput(bytes, size);
}

int main(int count, char **arguments)
{
    uint8_t *bytes = malloc(SEED_MAX);
    DIR *entries = count == 2 ? opendir(arguments[1]) : NULL;
    size_t seeds = 0;

    if (!bytes || !entries) {
        fprintf(stderr, "usage: replay FOLDER, which must be readable\n");
        return EXIT_FAILURE;
    }
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        char path[FUZZ_PATH_SIZE];

        if (entry->d_name[0] == '.')
            continue;
        fuzz_expect(snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name) <
                        (int)sizeof path,
                    "a path fits");
        replay(bytes, read_seed(path, bytes));
        seeds++;
    }
    closedir(entries);
    free(bytes);
    printf("%zu seeds\n", seeds);
    return seeds > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
