/* Uses posemb_load of an installed posemb: what it refuses. Is C++ too. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_load.h>

#include <stdio.h>

int main(void)
{
    posemb_loaded *loaded;
    posemb_error error;
    const posemb_status status =
        posemb_load_stage(NULL, NULL, "model.safetensors", NULL, &loaded, &error);

    printf("%s: %s\n", posemb_status_name(status), error.message);
    posemb_loaded_destroy(loaded);
    return status == POSEMB_INVALID_ARGUMENT && !loaded ? 0 : 1;
}
