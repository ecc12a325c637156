/* A program of HDF5 that writes uint16 frames through the plugin, and reads them again.
 *
 *     cc -o plugin_write plugin_write.c $(pkg-config --cflags --libs hdf5) */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

enum { FRAMES = 20, HEIGHT = 40, WIDTH = 50 };

int main(int count, char **words)
{
    static unsigned short frames[FRAMES][HEIGHT][WIDTH], read[FRAMES][HEIGHT][WIDTH];
    for (int i = 0; i < FRAMES; i++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                frames[i][y][x] = (unsigned short)(1000 + 7 * x + 3 * y + i * i % 11);
    hsize_t shape[] = {FRAMES, HEIGHT, WIDTH}, chunk[] = {8, HEIGHT, WIDTH};
    hid_t file = H5Fcreate(count > 1 ? words[1] : "c.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(3, shape, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    if (H5Pset_chunk(creation, 3, chunk) < 0 ||
        H5Pset_filter(creation, 47113, H5Z_FLAG_MANDATORY, 0, NULL) < 0)
        return 1;
    hid_t data = H5Dcreate2(file, "frames", H5T_NATIVE_USHORT, space, H5P_DEFAULT, creation,
                            H5P_DEFAULT);
    if (data < 0 ||
        H5Dwrite(data, H5T_NATIVE_USHORT, H5S_ALL, H5S_ALL, H5P_DEFAULT, frames) < 0 ||
        H5Dclose(data) < 0)
        return 2;
    data = H5Dopen2(file, "frames", H5P_DEFAULT);
    if (H5Dread(data, H5T_NATIVE_USHORT, H5S_ALL, H5S_ALL, H5P_DEFAULT, read) < 0 ||
        memcmp(frames, read, sizeof read))
        return 3;
    printf("%llu\n", (unsigned long long)H5Dget_storage_size(data));
    return H5Dclose(data) < 0 || H5Pclose(creation) < 0 || H5Sclose(space) < 0 || H5Fclose(file) < 0;
}
