/* What HDF5 1.10 to 2.x and a filter call of each other (H5Zpublic.h, H5PLextern.h). It is written
 * down here, so that nothing needs HDF5's headers: the program that loads a filter brings the
 * library. */

#ifndef H5VIDSTACK_HDF5_ABI_H
#define H5VIDSTACK_HDF5_ABI_H

#include <stddef.h>
#include <stdint.h>

enum {
    H5Z_VERSION = 1,            /* H5Z_CLASS_T_VERS */
    H5Z_READING = 0x0100,       /* H5Z_FLAG_REVERSE */
    H5Z_MANDATORY = 0,          /* H5Z_FLAG_MANDATORY */
    H5PL_FILTER = 0,            /* H5PL_TYPE_FILTER */
    H5E_STACK = 0,              /* H5E_DEFAULT */
    H5S_RANK = 32,              /* H5S_MAX_RANK */
    H5T_IS_INTEGER = 0, H5T_IS_FLOAT = 1, H5T_IS_ENUM = 8, /* H5T_class_t */
    H5T_IS_BIG_ENDIAN = 1,      /* H5T_ORDER_BE */
};

typedef int64_t Hid; /* hid_t */

typedef size_t (*FilterFunction)(unsigned flags, size_t count, const unsigned *values,
                                 size_t size, size_t *allocated, void **buffer);

typedef struct { /* H5Z_class2_t */
    int version, id;
    unsigned encoder_present, decoder_present;
    const char *name;
    int (*can_apply)(Hid creation, Hid type, Hid space);
    int (*set_local)(Hid creation, Hid type, Hid space);
    FilterFunction filter;
} FilterClass;

#endif
