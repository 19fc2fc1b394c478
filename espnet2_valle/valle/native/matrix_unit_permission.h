// Linux gives the registers of the matrix unit (Intel AMX) only to processes that ask for them.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

static inline bool may_use_matrix_unit() {
    constexpr int REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool granted = syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
    return granted;
}
