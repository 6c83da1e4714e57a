/* reference.c: the CPU reference, without OpenCL. It is the definition of every bit. */
#include <posemb/posemb.h>

#include <math.h>
#include <stdio.h>

enum { DIM = 8, COUNT = 2 };

int main(void)
{
    const posemb_desc desc = {.dim = DIM,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64};
    const int64_t positions[COUNT] = {1, 1000000000};
    float out[COUNT][DIM];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = COUNT}, .positions = positions, .out = out};
    posemb_error error;

    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (int t = 0; t < COUNT; t++) {
        printf("PE(%lld) =", (long long)positions[t]);
        for (int channel = 0; channel < DIM; channel++)
            printf(" %9.6f", (double)out[t][channel]);
        printf("\n");
    }
    /* Channel 0 of vaswani has the frequency 1: sin(10^9), to 8e-8 like every other value. */
    if (fabs((double)out[1][0] - 0.5458434494486996) > 8e-8) {
        fprintf(stderr, "sin(10^9) is %.9g, not 0.545843449\n", (double)out[1][0]);
        return 1;
    }
    return 0;
}
