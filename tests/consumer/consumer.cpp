// Uses both headers of an installed posemb: the reference, and a list of devices.
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <cstdio>
#include <cstring>
#include <vector>

int main()
{
    std::vector<float> out(2 * 4);
    posemb_desc desc = {};
    posemb_host_args args = {};
    posemb_error error;
    size_t count;

    desc.dim = 4;
    desc.operation = POSEMB_TABLE;
    args.shape.batch = 1;
    args.shape.length = 2;
    args.out = out.data();
    if (std::strcmp(posemb_version(), POSEMB_VERSION_STRING) != 0) {
        std::printf("version %s, not that of the header\n", posemb_version());
        return 1;
    }
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK ||
        posemb_devices_list(nullptr, 0, &count, &error) != POSEMB_OK) {
        std::printf("%s: %s\n", posemb_status_name(error.status), error.message);
        return 1;
    }
    std::printf("posemb %s, %zu devices, sin(1) = %.9g\n", posemb_version(), count,
                static_cast<double>(out[4]));
    return out[1] == 1.0f && out[4] > 0.8414f && out[4] < 0.8415f ? 0 : 1;
}
