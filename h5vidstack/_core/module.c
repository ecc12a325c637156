/* The Python module h5vidstack._core: the codec lpc. Only the stable ABI is used, from 3.11 on. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "filter.h"
#include "lpc.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 3 /* of this interface; codecs/lpc.py refuses another */

/* The samples of a buffer (n, H, W): 1 or 2 bytes each, 0 if it is none such. */
static unsigned sample_size(const Py_buffer *view)
{
    const char *format = view->format ? view->format : "B";
    if (*format == '<' || *format == '=' || *format == '@')
        format++;
    if (view->ndim != 3 || strlen(format) != 1)
        return 0;
    for (int i = 0; i < 3; i++)
        if (view->shape[i] < 1 || view->shape[i] > UINT32_MAX / 2)
            return 0;
    if (view->itemsize == 1 && *format == 'B')
        return 1;
    return view->itemsize == 2 && *format == 'H' ? 2 : 0;
}

static LpcShape shape_of(const Py_buffer *view, unsigned bits)
{
    return (LpcShape){(uint32_t)view->shape[0], (uint32_t)view->shape[1],
                      (uint32_t)view->shape[2], bits};
}

static PyObject *raise_status(LpcStatus status, const char *reason)
{
    if (status == LPC_NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError,
                    status == LPC_DAMAGED ? reason : "bits, shape or settings are out of range");
    return NULL;
}

PyDoc_STRVAR(encode_doc,
"lpc_encode(samples, bits, references, classes, row_step, passes)\n--\n\n"
"Encode (n, H, W) uint8 or uint16 samples below 2**bits.\n\n"
"Return the configuration and a list of the packets, one a frame.");

static PyObject *packets_of(const LpcStream *stream, uint32_t frames)
{
    PyObject *packets = PyList_New(frames);
    for (uint32_t t = 0; packets && t < frames; t++) {
        PyObject *packet = PyBytes_FromStringAndSize((const char *)stream->packets[t].data,
                                                     (Py_ssize_t)stream->packets[t].size);
        if (!packet || PyList_SetItem(packets, t, packet))
            Py_CLEAR(packets);
    }
    return packets;
}

static PyObject *core_encode(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *samples;
    unsigned bits, references, classes, row_step, passes;
    if (!PyArg_ParseTuple(args, "OIIIII", &samples, &bits, &references, &classes, &row_step,
                          &passes))
        return NULL;
    Py_buffer view;
    if (PyObject_GetBuffer(samples, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT))
        return NULL;
    PyObject *result = NULL;
    unsigned size = sample_size(&view);
    if (!size) {
        PyErr_SetString(PyExc_TypeError, "samples must be uint8 or uint16, of shape (n, H, W)");
    } else {
        LpcShape shape = shape_of(&view, bits);
        LpcSettings settings = {(LpcReferences)references, classes, row_step, passes};
        LpcStream stream;
        LpcStatus status;
        Py_BEGIN_ALLOW_THREADS
        status = lpc_encode(view.buf, size, &shape, &settings, &stream);
        Py_END_ALLOW_THREADS
        if (status != LPC_OK) {
            raise_status(status, NULL);
        } else {
            PyObject *packets = packets_of(&stream, shape.frames);
            if (packets)
                result = Py_BuildValue("y#N", (const char *)stream.configuration.data,
                                       (Py_ssize_t)stream.configuration.size, packets);
            lpc_free(&stream);
        }
    }
    PyBuffer_Release(&view);
    return result;
}

PyDoc_STRVAR(decode_doc,
"lpc_decode(configuration, packets, bits, out, first)\n--\n\n"
"Decode frames from `first` on into `out`, (k, H, W) uint8 or uint16.\n\n"
"`packets` is a list of all frames' packets. `out` may be a part of a larger array. Other frames\n"
"are decoded only where these refer to them. ValueError where the bytes are damaged.");

typedef struct {
    Py_buffer configuration, out;
    Py_buffer *views; /* of the packets */
    LpcBytes *packets;
    Py_ssize_t held;
} Decoding;

static bool hold_packets(Decoding *d, PyObject *list, unsigned first)
{
    Py_ssize_t count = PyList_Check(list) ? PyList_Size(list) : 0;
    if (count < d->out.shape[0] + (Py_ssize_t)first || count > UINT32_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "there must be a list with a packet for each frame");
        return false;
    }
    d->views = calloc((size_t)count, sizeof *d->views);
    d->packets = calloc((size_t)count, sizeof *d->packets);
    if (!d->views || !d->packets) {
        PyErr_NoMemory();
        return false;
    }
    for (; d->held < count; d->held++) {
        Py_buffer *view = &d->views[d->held];
        if (PyObject_GetBuffer(PyList_GetItem(list, d->held), view, PyBUF_SIMPLE))
            return false;
        d->packets[d->held] = (LpcBytes){view->buf, (size_t)view->len};
    }
    return true;
}

/* Distances in whole samples, none of them negative; false if they are not. */
static bool output_of(const Py_buffer *out, LpcOutput *output)
{
    unsigned size = sample_size(out);
    for (int i = 0; i < 3; i++)
        if (!size || out->strides[i] < 0 || out->strides[i] % (Py_ssize_t)size)
            return false;
    *output = (LpcOutput){out->buf, size, (size_t)out->strides[0] / size,
                          (size_t)out->strides[1] / size, (size_t)out->strides[2] / size};
    return true;
}

static PyObject *core_decode(PyObject *self, PyObject *args)
{
    (void)self;
    Decoding d = {0};
    PyObject *packets, *array, *result = NULL;
    unsigned bits, first;
    if (!PyArg_ParseTuple(args, "y*OIOI", &d.configuration, &packets, &bits, &array, &first))
        return NULL;
    if (PyObject_GetBuffer(array, &d.out, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)) {
        PyBuffer_Release(&d.configuration);
        return NULL;
    }
    LpcOutput output;
    if (!output_of(&d.out, &output)) {
        PyErr_SetString(PyExc_TypeError, "out must be uint8 or uint16, of shape (n, H, W)");
    } else if (hold_packets(&d, packets, first)) {
        LpcShape shape = shape_of(&d.out, bits);
        uint32_t last = first + shape.frames;
        shape.frames = (uint32_t)d.held;
        LpcBytes configuration = {d.configuration.buf, (size_t)d.configuration.len};
        const char *reason = "";
        LpcStatus status;
        Py_BEGIN_ALLOW_THREADS
        status = lpc_decode(configuration, d.packets, &shape, first, last, &output, &reason);
        Py_END_ALLOW_THREADS
        result = status == LPC_OK ? Py_NewRef(Py_None) : raise_status(status, reason);
    }
    for (Py_ssize_t i = 0; i < d.held; i++)
        PyBuffer_Release(&d.views[i]);
    free(d.views);
    free(d.packets);
    PyBuffer_Release(&d.out);
    PyBuffer_Release(&d.configuration);
    return result;
}

static PyObject *core_path(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return PyUnicode_FromString(lpc_path());
}

static PyObject *core_force_portable(PyObject *self, PyObject *force)
{
    (void)self;
    int truth = PyObject_IsTrue(force);
    if (truth < 0)
        return NULL;
    lpc_force_portable(truth);
    return Py_NewRef(Py_None);
}

PyDoc_STRVAR(install_doc,
"filter_install(allocate, free, otherwise)\n--\n\n"
"Return the address of HDF5's filter in C, for H5Z_class2_t.filter.\n\n"
"`allocate` and `free` are addresses of H5allocate_memory and H5free_memory, `otherwise` of a\n"
"filter that does what the core does not.");

static PyObject *core_filter_install(PyObject *self, PyObject *args)
{
    (void)self;
    unsigned long long allocate, release, otherwise;
    if (!PyArg_ParseTuple(args, "KKK", &allocate, &release, &otherwise))
        return NULL;
    if (!allocate || !release || !otherwise) {
        PyErr_SetString(PyExc_ValueError, "an address is 0");
        return NULL;
    }
    FilterHost host;
    uintptr_t places[] = {(uintptr_t)allocate, (uintptr_t)release, (uintptr_t)otherwise};
    memcpy(&host.allocate, &places[0], sizeof host.allocate);
    memcpy(&host.release, &places[1], sizeof host.release);
    memcpy(&host.otherwise, &places[2], sizeof host.otherwise);
    filter_install(&host);
    FilterFunction run = filter_run;
    uintptr_t address;
    memcpy(&address, &run, sizeof address);
    return PyLong_FromUnsignedLongLong(address);
}

static PyObject *core_filter_counts(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    FilterCounts counts = filter_counts();
    return Py_BuildValue("KKK", counts.decoded, counts.encoded, counts.handed_on);
}

static PyMethodDef METHODS[] = {
    {"lpc_encode", core_encode, METH_VARARGS, encode_doc},
    {"lpc_decode", core_decode, METH_VARARGS, decode_doc},
    {"path", core_path, METH_NOARGS, "Return which code this processor runs: avx2 or portable."},
    {"force_portable", core_force_portable, METH_O, "Run portable code only; for tests."},
    {"filter_install", core_filter_install, METH_VARARGS, install_doc},
    {"filter_counts", core_filter_counts, METH_NOARGS,
     "Return how many chunks the filter decoded, encoded and handed on."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_core", "The C core of h5vidstack.", 0, METHODS, SLOTS, NULL, NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&MODULE);
}
