/* The subcommands of posemb, and what they share. */
#ifndef POSEMB_COMMAND_H
#define POSEMB_COMMAND_H

#include <posemb/posemb.h>

/* Exit statuses of every subcommand. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Each gets its own name as arguments[0] and returns an exit status. */
int command_bench(int count, char **arguments);
int command_cache(int count, char **arguments);
int command_conventions(int count, char **arguments);
int command_devices(int count, char **arguments);
int command_encode(int count, char **arguments);
int command_experiment(int count, char **arguments);
int command_identify(int count, char **arguments);
int command_models(int count, char **arguments);
int command_report(int count, char **arguments);
int command_sentences(int count, char **arguments);
int command_table(int count, char **arguments);
int command_tune(int count, char **arguments);
int command_verify(int count, char **arguments);
int command_view(int count, char **arguments);

/* Print "posemb: message" on standard error and return EXIT_FAILED. */
int command_failed(const posemb_error *error);

/* Print "posemb: ..." and a hint at --help on standard error, and return EXIT_USAGE. */
int command_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
