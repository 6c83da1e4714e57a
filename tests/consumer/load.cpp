// posemb_load in C++: the same program.
#include "load.c"
