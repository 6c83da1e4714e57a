/* What each kind of record has. */
#ifndef POSEMB_REPORT_KINDS_H
#define POSEMB_REPORT_KINDS_H

#include "report_fields.h"
#include "report_records.h"

/* RECORD_UNKNOWN for what is none; runs are none either. */
enum record_kind report_kind_find(const char *name);

/* Fill the part of a record that its kind has. */
posemb_status report_kind_read(const struct field_reader *reader, int schema,
                               struct report_record *record);

#endif
