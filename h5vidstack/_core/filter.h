/* The filter of HDF5 as h5py calls it (section 4): the core does what it can by itself, without
 * Python; another function does the rest. */

#ifndef H5VIDSTACK_FILTER_H
#define H5VIDSTACK_FILTER_H

#include "hdf5_abi.h"

#include <stdbool.h>

typedef struct {
    void *(*allocate)(size_t, bool); /* H5allocate_memory of the HDF5 that calls */
    int (*release)(void *);          /* its H5free_memory */
    FilterFunction otherwise;        /* for all that the core does not do, and for what is wrong */
} FilterHost;

/* How many chunks were decoded, encoded, and handed on. */
typedef struct {
    unsigned long long decoded, encoded, handed_on;
} FilterCounts;

/* To be called once, before HDF5 calls the filter. */
void filter_install(const FilterHost *host);
size_t filter_run(unsigned flags, size_t count, const unsigned *values, size_t size,
                  size_t *allocated, void **buffer);
FilterCounts filter_counts(void);

#endif
