/* posemb experiment: the record. */
#include "experiment_report.h"

enum { SCHEMA = 1 };

static json_t *spread_json(struct spread spread)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "mean", spread.mean, "deviation", spread.deviation,
                     "least", spread.least, "most", spread.most);
}

static json_t *numbers_json(const double *values, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *steps_json(uint32_t steps)
{
    return steps ? json_integer(steps) : json_null();
}

static json_t *trial_json(const struct trial *trial)
{
    const uint32_t tests = trial->steps / TRIAL_STRIDE;

    return json_pack("{s:i, s:f, s:o, s:o, s:o, s:o, s:s}", "seed", (int)trial->seed, "accuracy",
                     trial->accuracy, "steps_to_95", steps_json(trial->steps_to_95), "loss",
                     numbers_json(trial->losses, tests), "accuracy_by_test",
                     numbers_json(trial->accuracies, tests), "accuracy_by_place",
                     numbers_json(trial->by_place, task_of(trial->task)->long_length), "digest",
                     trial->digest);
}

/* The trials of one kind of positions. */
static json_t *positions_json(const struct experiment *experiment, const struct trial *trials)
{
    json_t *seeds = json_array();
    uint32_t reached;
    const uint32_t steps = experiment_steps_to_95(experiment, trials, &reached);

    for (uint32_t i = 0; i < experiment->settings.seeds; i++)
        json_array_append_new(seeds, trial_json(&trials[i]));
    return json_pack("{s:s, s:i, s:i, s:i, s:o, s:o, s:i, s:o}", "positions",
                     stage_positions_name(trials->positions), "parameters", (int)trials->parameters,
                     "position_parameters", (int)trials->position_parameters, "position_bytes",
                     (int)(trials->position_parameters * sizeof(float)), "accuracy",
                     spread_json(experiment_spread(experiment, trials, NUMBER_ACCURACY, 0)),
                     "median_steps_to_95", steps_json(steps), "reached_95", (int)reached, "seeds",
                     seeds);
}

static json_t *task_json(const struct experiment *experiment, enum task_kind kind)
{
    const struct task *task = task_of(kind);
    json_t *results = json_array();

    for (int positions = 0; positions < STAGE_KINDS; positions++)
        json_array_append_new(
            results,
            positions_json(experiment,
                           experiment_trials(experiment, kind, (enum stage_positions)positions)));
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:o}", "task", task->name, "summary",
                     task->summary, "vocab", (int)task->vocab, "train_length_least",
                     (int)task->train_length_least, "train_length_most",
                     (int)task->train_length_most, "long_length", (int)task->long_length, "batch",
                     (int)task->sequences, "chance", task_chance(task, task->train_length_most),
                     "results", results);
}

json_t *experiment_json(const struct experiment *experiment, json_t *run)
{
    json_t *tasks = json_array();
    char digest[TRIAL_DIGEST_SIZE];

    experiment_digest(experiment, digest);
    for (int kind = 0; kind < TASKS; kind++)
        if (experiment->settings.tasks[kind])
            json_array_append_new(tasks, task_json(experiment, (enum task_kind)kind));
    return json_pack("{s:i, s:s, s:o, s:{s:i, s:i, s:i, s:i}, s:i, s:f, s:s, s:o}", "schema",
                     SCHEMA, "kind", "experiment", "run", run, "encoder", "dim", TRIAL_DIM, "heads",
                     TRIAL_HEADS, "hidden", TRIAL_HIDDEN, "blocks", TRIAL_BLOCKS, "steps_per_test",
                     TRIAL_STRIDE, "base", experiment->settings.base, "digest", digest, "tasks",
                     tasks);
}
