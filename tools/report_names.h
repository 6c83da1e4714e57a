/* What the report calls things: shapes, times, configurations. Texts that come from records are cut
 * to fit, and are not trusted. */
#ifndef POSEMB_REPORT_NAMES_H
#define POSEMB_REPORT_NAMES_H

#include "report_records.h"

#define REPORT_NUMBER_SIZE 24u
#define REPORT_SHAPE_SIZE  72u
#define REPORT_LABEL_SIZE  160u
#define REPORT_NAME_SIZE   400u /* of a shape and two labels */

/* Launches that move fewer bytes are launch cost: microseconds, no rates. */
#define REPORT_SMALL_BYTES ((int64_t)1 << 20)

/* The letter of a run: "A", "B", ... */
void report_letter(size_t run, char letter[4]);

/* "1.33 ms", "6.9e-8", "64 MiB", "[8,2048]×1024"; "–" for what is not there. */
void report_time(double seconds, char text[REPORT_NUMBER_SIZE]);
void report_error(double error, char text[REPORT_NUMBER_SIZE]);
void report_bytes(int64_t bytes, char text[REPORT_NUMBER_SIZE]);
void report_ratio(double ratio, char text[REPORT_NUMBER_SIZE]); /* three digits and a times sign */
void report_shape(const int64_t shape[3], char text[REPORT_SHAPE_SIZE]);

/* Whether table and output are f32. */
bool report_is_plain_storage(const struct stage_record *stage);

/* How a stage departs from the plain one (encode, f32 to f32, sinusoids of the index, no norm,
 * nothing after it, cold rows, unique ids), storages left aside; "" where it does not. */
void report_variation(const struct stage_record *stage, char text[REPORT_LABEL_SIZE]);

/* "f16 → f32": rows of the table, output. */
void report_storage(const struct stage_record *stage, char text[REPORT_LABEL_SIZE]);

/* Shape, operation and variation, storages. */
void report_configuration(const struct stage_record *stage, char text[REPORT_NAME_SIZE]);

/* Compulsory bytes; where the record has none, those of float rows and outputs. */
int64_t report_stage_bytes(const struct stage_record *stage);

bool report_is_small(const struct stage_record *stage);

/* A yardstick's time divided by the stage's: 1 is as fast, 2 twice as fast; 0: not measured. */
double report_gain(const struct stage_record *stage, enum report_yardstick yardstick);

/* "copy", ...: what a yardstick is called in text. */
const char *report_yardstick_name(enum report_yardstick yardstick);

#endif
