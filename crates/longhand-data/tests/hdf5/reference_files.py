#!/usr/bin/env python3
"""Writes the small HDF5 files next to this script. `tests/data/hdf5_reference.rs` checks their values.

    pip install h5py numpy
    python reference_files.py

There are 7 training and 3 test windows of 4 steps and 3 channels. Window `i` has the values `100 i + 10 step + channel`
and class `i % 3` of 3 classes.
"""
import ctypes
import os
import shutil

import h5py
import numpy

from random_files import LIBRARY, UNFILTERED_EDGES

HERE = os.path.dirname(os.path.abspath(__file__))


def values(windows, dtype="f4"):
    window, step, channel = numpy.indices((windows, 4, 3))
    return (100 * window + 10 * step + channel).astype(dtype)


def labels(windows, dtype="f4"):
    return (numpy.arange(windows)[:, None] % 3 == numpy.arange(3)).astype(dtype)


def write(name, libver="latest", samples=None, x="f4", y="f4", **settings):
    """Writes the four datasets. `samples` creates the samples if given; otherwise they are created with `settings`."""
    with h5py.File(os.path.join(HERE, name), "w", libver=libver) as file:
        for part, windows in [("tr", 7), ("tst", 3)]:
            if samples:
                samples(file, part + "X", values(windows, x))
            else:
                file.create_dataset(part + "X", data=values(windows, x), **settings)
            file[part + "Y"] = labels(windows, y)


def implicit_index(file, name, data):
    """Creates a dataset with an implicit chunk index over a grid that is larger than the shape."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 3, 2))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space = h5py.h5s.create_simple(data.shape, (data.shape[0], 8, 5))
    kind = h5py.h5t.py_create(data.dtype)
    h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, plist))[...] = data


def unfiltered_edges(file, name, data):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 3, 2))
    plist.set_shuffle()
    assert LIBRARY.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(UNFILTERED_EDGES)) >= 0
    space = h5py.h5s.create_simple(data.shape)
    kind = h5py.h5t.py_create(data.dtype)
    h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, plist))[...] = data


def virtual(file, name, data):
    file["kept " + name] = data
    layout = h5py.VirtualLayout(data.shape, data.dtype)
    layout[...] = h5py.VirtualSource(file["kept " + name])
    file.create_virtual_dataset(name, layout)


def external_storage(file, name, data):
    file.create_dataset(name, data.shape, data.dtype, external=[(os.devnull, 0, h5py.h5f.UNLIMITED)])


def external_link(file, name, data):
    file[name] = h5py.ExternalLink("elsewhere.h5", "/" + name)


def soft_link(file, name, data):
    file["kept/" + name] = data
    file[name] = h5py.SoftLink("/kept/" + name)


def main():
    # The chunks of a fixed array are numbered over the maximum shape.
    def fixed_array(file, name, data):
        limits = (data.shape[0], 8, 5)
        file.create_dataset(name, data=data, chunks=(2, 3, 2), maxshape=limits, compression="gzip")

    write("fixed_array.h5", samples=fixed_array)
    write("implicit.h5", samples=implicit_index)
    write("unfiltered_edges.h5", samples=unfiltered_edges)
    write("extensible_array.h5", chunks=(2, 3, 2), maxshape=(None, 9, 4), shuffle=True, compression="gzip")
    write("btree_v2.h5", chunks=(2, 3, 2), maxshape=(None, None, 3), fletcher32=True)
    write("btree_v1.h5", libver="earliest", chunks=(2, 3, 2), maxshape=(None, None, 3), compression="lzf")
    write("soft_link.h5", samples=soft_link)
    write("small_types.h5", libver="earliest", x="i2", y="?")
    write("big_endian.h5", libver="earliest", x=">f8", y=">f2")
    # The largest value, 632, is exact in half precision.
    write("half.h5", libver="earliest", x="f2", y="u8")
    write("virtual.h5", samples=virtual)
    write("external_storage.h5", samples=external_storage)
    write("external_link.h5", samples=external_link)
    bfloat16 = h5py.h5t.IEEE_F32LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_size(2)
    bfloat16.set_ebias(127)

    def bfloat16_samples(file, name, data):
        h5py.h5d.create(file.id, name.encode(), bfloat16, h5py.h5s.create_simple(data.shape))

    write("bfloat16.h5", samples=bfloat16_samples)
    # Large datasets in a small file: values that were never written take no space.
    with h5py.File(os.path.join(HERE, "never_written.h5"), "w", libver="latest") as file:
        for part in ["tr", "tst"]:
            file.create_dataset(part + "X", (80_000, 150, 3), "f4", chunks=(1000, 150, 3), compression="gzip")
            file[part + "Y"] = labels(3)
    # A copy of a file that is still open for writing.
    open_file = os.path.join(HERE, "open.h5")
    with h5py.File(open_file, "w", libver="latest") as file:
        for part, windows in [("tr", 7), ("tst", 3)]:
            file[part + "X"], file[part + "Y"] = values(windows), labels(windows)
        file.flush()
        shutil.copy(open_file, os.path.join(HERE, "in_use.h5"))
    os.remove(open_file)


if __name__ == "__main__":
    main()
