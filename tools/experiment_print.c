/* posemb experiment: the tables. */
#include "experiment_report.h"

#include <inttypes.h>
#include <stdio.h>

/* Two sentences of the same words, and their classes. */
static void print_twins(const struct task *task)
{
    struct random random = random_stream(0, 4);
    struct batch batch;
    char text[160];

    if (task->distance || batch_create(task, &batch, NULL) != POSEMB_OK)
        return;
    task_test(task, &random, task->train_length_most, &batch);
    for (uint32_t s = 0; s < 2; s++) {
        task_show_sentence(&batch, s, text, sizeof text);
        printf("    %s? %s\n", text, task_show_class(batch.labels[s]));
    }
    batch_free(&batch);
}

static void print_head(const struct task *task)
{
    printf("\n%s\n  %s\n", task->title, task->summary);
    print_twins(task);
    printf("\n  %-24s %16s %8s %8s %14s %12s %20s\n", "positions", "accuracy, %", "least", "most",
           "steps to 95 %", "parameters", "position parameters");
}

/* A kind of positions, tested at the lengths of the training. */
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

/* Places of the long sequences in groups; the first group has only those that have a label. */
enum { GROUP = 8 };

static uint32_t first_place(const struct task *task, uint32_t group)
{
    return group * GROUP < task->distance ? task->distance : group * GROUP;
}

static void print_places(const struct experiment *experiment, enum task_kind kind)
{
    const struct task *task = task_of(kind);
    const uint32_t groups = task->long_length / GROUP;

    printf("\n  accuracy, %%, in sequences of %" PRIu32
           " tokens, at places that training has had (below %" PRIu32 ") and at others:\n  %-24s",
           task->long_length, task->train_length_most, "places");
    for (uint32_t group = 0; group < groups; group++)
        printf("   %3" PRIu32 " to %3" PRIu32, first_place(task, group), group * GROUP + GROUP - 1);
    putchar('\n');
    for (int positions = 0; positions < STAGE_KINDS; positions++) {
        const struct trial *trials =
            experiment_trials(experiment, kind, (enum stage_positions)positions);

        printf("  %-24s", stage_positions_name((enum stage_positions)positions));
        for (uint32_t group = 0; group < groups; group++) {
            const struct spread accuracy = experiment_spread_of_places(
                experiment, trials, first_place(task, group), group * GROUP + GROUP - 1);

            printf(" %5.1f ± %4.1f", 100.0 * accuracy.mean, 100.0 * accuracy.deviation);
        }
        putchar('\n');
    }
    printf("  %-24s %5.1f, everywhere\n", "best guess without order",
           100.0 * task_chance(task, task->long_length));
}

static void print_task(const struct experiment *experiment, enum task_kind kind)
{
    const struct task *task = task_of(kind);

    print_head(task);
    for (int positions = 0; positions < STAGE_KINDS; positions++)
        print_row(experiment, experiment_trials(experiment, kind, (enum stage_positions)positions));
    printf("  %-24s %9.1f\n", "best guess without order",
           100.0 * task_chance(task, task->train_length_most));
    if (task->long_length)
        print_places(experiment, kind);
}

void experiment_print(const struct experiment *experiment)
{
    const uint32_t seeds = experiment->settings.seeds;
    char digest[TRIAL_DIGEST_SIZE];

    for (int kind = 0; kind < TASKS; kind++)
        if (experiment->settings.tasks[kind])
            print_task(experiment, (enum task_kind)kind);
    experiment_digest(experiment, digest);
    printf("\nMean ± standard deviation of %" PRIu32
           " seed%s. Steps to 95 %%: the median; from there on every "
           "test of a\ntrial has 95 %% or more. Digest of all parameters: %s\n",
           seeds, seeds == 1 ? "" : "s", digest);
}
