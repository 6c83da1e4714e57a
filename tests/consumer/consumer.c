/* Uses both headers of an installed posemb: the reference, and a list of devices. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE};
    float out[2][4];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 2}, .out = out};
    posemb_error error;
    size_t count;

    if (strcmp(posemb_version(), POSEMB_VERSION_STRING) != 0) {
        printf("version %s, not that of the header\n", posemb_version());
        return 1;
    }
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK ||
        posemb_devices_list(NULL, 0, &count, &error) != POSEMB_OK) {
        printf("%s: %s\n", posemb_status_name(error.status), error.message);
        return 1;
    }
    printf("posemb %s, %zu devices, sin(1) = %.9g\n", posemb_version(), count, (double)out[1][0]);
    return out[0][1] == 1.0f && out[1][0] > 0.8414f && out[1][0] < 0.8415f ? 0 : 1;
}
