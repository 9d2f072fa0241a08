#ifndef BELAY_CHIREDIS_SHIM_H
#define BELAY_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>

#endif
