/* The public headers in strict C++11: they stand alone, and functions of posemb link. */
#include <posemb/posemb_load.h>

#include <posemb/posemb_train_cl.h>

#include <posemb/posemb_train.h>

#include <posemb/posemb_cl.h>

#include <posemb/posemb.h>

#include <cstring>

int main()
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    posemb_desc desc = {};
    std::size_t count = 0;

    desc.dim = 4;
    if (std::strcmp(posemb_version(), POSEMB_VERSION_STRING) != 0)
        return 1;
    if (clear.id_first != POSEMB_NO_TOKEN || posemb_pair_count(&desc) != 2)
        return 2;
    return posemb_devices_list(nullptr, 0, &count, nullptr) == POSEMB_OK ? 0 : 3;
}
