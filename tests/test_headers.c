/* The public headers in strict C99: they stand alone, and functions of posemb link. */
#include <posemb/posemb_load.h>

#include <posemb/posemb_train_cl.h>

#include <posemb/posemb_train.h>

#include <posemb/posemb_cl.h>

#include <posemb/posemb.h>

#include <string.h>

int main(void)
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    size_t count = 0;

    if (strcmp(posemb_version(), POSEMB_VERSION_STRING) != 0)
        return 1;
    if (clear.id_first != POSEMB_NO_TOKEN)
        return 2;
    return posemb_devices_list(NULL, 0, &count, NULL) == POSEMB_OK ? 0 : 3;
}
