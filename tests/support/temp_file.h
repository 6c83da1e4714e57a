/* A private folder for the files of a test, under $TMPDIR or /tmp. What fails, fails the test. */
#ifndef POSEMB_TEMP_FILE_H
#define POSEMB_TEMP_FILE_H

#include <posemb/posemb.h>

#include <stddef.h>

#define TEMP_PATH_SIZE 1024u

typedef struct temp_folder {
    char path[TEMP_PATH_SIZE];
} temp_folder;

void temp_folder_make(temp_folder *folder);

/** Remove the folder and all that is in it. */
void temp_folder_remove(temp_folder *folder);

/** How many files and folders are in it. */
size_t temp_folder_count(const temp_folder *folder);

/** The path of `name` in the folder, whether it exists or not. */
void temp_file_path(const temp_folder *folder, const char *name, char path[TEMP_PATH_SIZE]);

/** Make a file of these bytes, in place of any before, and give its path. */
void temp_file_write(const temp_folder *folder, const char *name, const void *bytes, size_t size,
                     char path[TEMP_PATH_SIZE]);

/** Read a file, up to `capacity` bytes; returns how many there were. */
size_t temp_file_read(const char *path, void *bytes, size_t capacity);

/** The folder of a test program, and the setup and teardown of its group that make and remove it.
 */
extern temp_folder test_folder;
int test_folder_make(void **state);
int test_folder_remove(void **state);

/** The message has these words. */
void assert_said(const posemb_error *error, const char *words);

#endif
