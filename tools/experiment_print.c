/* posemb experiment: the tables. */
#include "experiment_report.h"

#include <inttypes.h>
#include <stdio.h>

/* Two sentences of the same words, and their answers. */
static void print_twins(const struct task *task)
{
    struct random random = random_stream(0, 4);
    struct batch batch;
    char text[160];

    if (task->distance || batch_create(task, &batch, NULL) != POSEMB_OK)
        return;
    task_test(task, &random, 0, &batch);
    for (uint32_t s = 0; s < 2; s++) {
        task_show_sentence(&batch, s, text, sizeof text);
        printf("    %s? %s\n", text, task_show_answer(batch.answers[s]));
    }
    batch_free(&batch);
}

static void print_head(const struct task *task)
{
    printf("\n%s\n  %s\n", task->title, task->question);
    print_twins(task);
    printf("\n  %-24s %16s %8s %8s %14s %12s %20s\n", "positions", "right, %", "least", "most",
           "95 % in steps", "parameters", "of positions");
}

/* A kind of positions at the tokens that the task was learned with. */
static void print_row(const struct experiment *experiment, const struct trial *trials)
{
    const struct spread accuracy = experiment_spread(experiment, trials, NUMBER_ACCURACY, 0);
    uint32_t reached;
    const uint32_t steps = experiment_steps_to_95(experiment, trials, &reached);
    char when[32];
    char bytes[40];

    if (steps)
        snprintf(when, sizeof when, "%" PRIu32, steps);
    else if (reached)
        snprintf(when, sizeof when, "%" PRIu32 " of %" PRIu32 " seeds", reached,
                 experiment->settings.seeds);
    else
        snprintf(when, sizeof when, "never");
    snprintf(bytes, sizeof bytes, "%zu (%zu bytes)", trials->position_parameters,
             trials->position_parameters * sizeof(float));
    printf("  %-24s %9.1f ± %4.1f %8.1f %8.1f %14s %12zu %20s\n",
           stage_positions_name(trials->positions), 100.0 * accuracy.mean,
           100.0 * accuracy.deviation, 100.0 * accuracy.least, 100.0 * accuracy.most, when,
           trials->parameters, bytes);
}

/* Before a number without a deviation, in the columns of those with one. */
static const char *cell_gap(uint32_t column)
{
    return column ? "        " : " ";
}

/* Sequences of other lengths. */
static void print_lengths(const struct experiment *experiment, enum task_kind kind)
{
    const struct task *task = task_of(kind);

    printf("\n  right, %%, in sequences of %" PRIu32 " to %" PRIu32
           " tokens; beyond, of tokens at places that were never learned:\n  %-24s",
           task->length_least, task->length_most, "length");
    for (uint32_t i = 0; i < task->test_length_count; i++)
        printf("%s%5" PRIu32, cell_gap(i), task->test_lengths[i]);
    putchar('\n');
    for (int positions = 0; positions < STAGE_KINDS; positions++) {
        const struct trial *trials =
            experiment_trials(experiment, kind, (enum stage_positions)positions);

        printf("  %-24s", stage_positions_name((enum stage_positions)positions));
        for (uint32_t i = 0; i < task->test_length_count; i++) {
            const struct spread right = experiment_spread(experiment, trials, NUMBER_BY_LENGTH, i);

            printf(" %5.1f ± %4.1f", 100.0 * right.mean, 100.0 * right.deviation);
        }
        putchar('\n');
    }
    printf("  %-24s", "best guess without order");
    for (uint32_t i = 0; i < task->test_length_count; i++)
        printf("%s%5.1f", cell_gap(i), 100.0 * task_chance(task, task->test_lengths[i]));
    putchar('\n');
}

static void print_task(const struct experiment *experiment, enum task_kind kind)
{
    const struct task *task = task_of(kind);

    print_head(task);
    for (int positions = 0; positions < STAGE_KINDS; positions++)
        print_row(experiment, experiment_trials(experiment, kind, (enum stage_positions)positions));
    printf("  %-24s %9.1f\n", "best guess without order", 100.0 * task_chance(task, 0));
    if (task->test_length_count)
        print_lengths(experiment, kind);
}

void experiment_print(const struct experiment *experiment)
{
    char digest[TRIAL_DIGEST_SIZE];

    for (int kind = 0; kind < TASKS; kind++)
        if (experiment->settings.tasks[kind])
            print_task(experiment, (enum task_kind)kind);
    experiment_digest(experiment, digest);
    printf("\n%" PRIu32
           " seed%s; mean ± deviation, median of the steps. Digest of all that was learned: %s\n",
           experiment->settings.seeds, experiment->settings.seeds == 1 ? "" : "s", digest);
}
