#!/usr/bin/env python3
"""Writes random HDF5 files in the layout that longhand-data reads, each with the values that h5py reads from it.

    pip install h5py numpy
    python random_files.py FOLDER [COUNT] [FIRST_SEED]
    LONGHAND_HDF5_FILES=FOLDER cargo test -p longhand-data --test data hdf5_random -- --nocapture

The seed of each file is in its name. `case-0007.txt` contains the options that created `case-0007.h5` and the values
that h5py reads from it: for each of the two parts the shape, the samples as hexadecimal 32-bit floats and the labels.
The test fails if one value differs, and counts the files it rejects by cause.
"""
import ctypes
import glob
import os
import random
import sys

import h5py
import numpy

LIBVERS = ["earliest", "v108", "v110", "v112", "v114", "latest", "latest", "latest"]
DATA_TYPES = ["f2", "f4", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
LABEL_TYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
# H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, which h5py does not expose.
UNFILTERED_EDGES = 2


def load_library():
    """Returns the HDF5 library that h5py has loaded, or None if it is not found."""
    folder = os.path.dirname(h5py.__file__)
    for path in glob.glob(os.path.join(folder, "..", "h5py.libs", "libhdf5-*")):
        return ctypes.CDLL(path)
    return None


LIBRARY = load_library()


def maximum_shape(rng, shape, notes):
    """Returns a random maximum shape, with None for unlimited extents, or None for a fixed shape."""
    kind = rng.choice(["none", "same", "larger", "larger", "unlimited", "mixed"])
    notes.append(f"maxshape={kind}")
    if kind == "none":
        return None
    if kind == "same":
        return shape
    if kind == "unlimited":
        return tuple(None for _ in shape)
    choices = {"larger": [0, 1, 3, 20], "mixed": [0, 0, 2, None]}[kind]
    extra = [rng.choice(choices) for _ in shape]
    return tuple(None if more is None else n + more for n, more in zip(shape, extra))


def filters(rng, dtype, notes):
    """Returns h5py's keyword arguments for a random filter pipeline."""
    kind = rng.choice(["none", "none", "gzip", "gzip", "lzf", "shuffle", "gzip+shuffle", "scaleoffset", "szip"])
    options = {}
    if "gzip" in kind:
        options.update(compression="gzip", compression_opts=rng.randint(0, 9))
    if "shuffle" in kind or (kind == "lzf" and rng.random() < 0.5):
        options["shuffle"] = True
    if kind == "lzf":
        options["compression"] = "lzf"
    if kind == "scaleoffset" and dtype.kind in "iu":
        options["scaleoffset"] = 0
    if kind == "szip" and h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP) and dtype.kind in "fiu" and dtype.itemsize > 1:
        options["compression"] = "szip"
    if kind != "scaleoffset" and rng.random() < 0.25:
        options["fletcher32"] = True
    if options:
        notes.append("filters=" + "+".join(f"{key}:{value}" for key, value in sorted(options.items())))
    return options


def write_parts(rng, dataset, values, fill, notes):
    """Writes the values at once, row by row, or only the elements that differ from the fill value."""
    mode = rng.choice(["whole", "whole", "rows", "elements"] if values.size < 2000 else ["whole", "rows"])
    notes.append(f"written={mode}")
    if mode == "whole":
        dataset[...] = values
    elif mode == "rows":
        for row in rng.sample(range(len(values)), len(values)):
            dataset[row] = values[row]
    else:
        for index in zip(*numpy.nonzero(values != fill)):
            dataset[index] = values[index]


def create(rng, group, name, values, notes):
    """Creates a dataset with a random layout."""
    dtype, shape = values.dtype, values.shape
    fill = numpy.zeros((), dtype)[()]
    if name.endswith("X") and rng.random() < 0.3:
        fill = numpy.array(rng.randint(1, 5), dtype)[()]
        # Chunks that contain only the fill value may stay unallocated.
        values[rng.randrange(shape[0])] = fill
    layout = rng.choice(["contiguous", "compact", "chunked", "chunked", "chunked", "chunked"])
    if layout == "compact" and values.nbytes > 60_000:
        # A header message is limited to 64 KiB.
        layout = "contiguous"
    notes.append(f"{name}: {dtype.str} {shape} {layout}")
    if layout != "chunked":
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT if layout == "compact" else h5py.h5d.CONTIGUOUS)
        plist.set_fill_value(numpy.asarray(fill))
        space = h5py.h5s.create_simple(shape)
        kind = h5py.h5t.py_create(dtype, logical=True)
        if rng.random() < 0.15:
            kind.commit(group.id, f"type of {name}".encode())
            notes.append("committed type")
        dataset = h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, plist))
        if rng.random() < 0.1 and name.endswith("X"):
            notes.append("never written")
        else:
            write_parts(rng, dataset, values, fill, notes)
        return dataset

    maxshape = maximum_shape(rng, shape, notes)
    limits = maxshape or shape
    chunks = tuple(rng.randint(1, n + (2 if m is None else min(2, m - n))) for n, m in zip(shape, limits))
    if rng.random() < 0.15:
        chunks = tuple(1 for _ in shape)
    notes.append(f"chunks={chunks} limits={limits}")
    options = filters(rng, dtype, notes)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if rng.random() < 0.3:
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        notes.append("allocated early")
    plist.set_chunk(chunks)
    if options.get("shuffle"):
        plist.set_shuffle()
    if options.get("scaleoffset") is not None:
        plist.set_scaleoffset(h5py.h5z.SO_INT, 0)
    compression = options.get("compression")
    if compression == "gzip":
        plist.set_deflate(options["compression_opts"])
    elif compression == "lzf":
        plist.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
    elif compression == "szip" and numpy.prod(chunks) >= 8:
        plist.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 8)
    if options.get("fletcher32"):
        plist.set_fletcher32()
    plist.set_fill_value(numpy.asarray(fill))
    if LIBRARY is not None and options and rng.random() < 0.25:
        if LIBRARY.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(UNFILTERED_EDGES)) >= 0:
            notes.append("unfiltered edges")
    # A resized dataset keeps its chunk index, and may keep chunks outside its shape.
    before = shape
    if maxshape is not None and rng.random() < 0.4:
        room = [n + 3 if m is None else m for n, m in zip(shape, limits)]
        before = tuple(rng.randint(1, most) for most in room)
        notes.append(f"resized from {before}")
    unlimited = tuple(h5py.h5s.UNLIMITED if m is None else m for m in limits)
    space = h5py.h5s.create_simple(before, unlimited)
    kind = h5py.h5t.py_create(dtype, logical=True)
    dataset = h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, plist))
    if before != shape:
        dataset[...] = numpy.ones(before, dtype)
        dataset.resize(shape)
        # Write all values, because the old values remain where the shapes overlap.
        dataset[...] = values
    else:
        write_parts(rng, dataset, values, fill, notes)
    return dataset


def samples(rng, shape, dtype):
    draw = numpy.random.default_rng(rng.getrandbits(32))
    if dtype.kind == "f":
        return draw.normal(0.0, 2.0, shape).astype(dtype)
    low = 0 if dtype.kind == "u" else -100
    return draw.integers(low, 100, shape).astype(dtype)


def write_file(rng, path, notes):
    steps, channels, classes = rng.randint(1, 9), rng.randint(1, 5), rng.randint(1, 7)
    order = lambda: rng.choice("<<<>")
    libver = rng.choice(LIBVERS)
    settings = {"libver": libver, "track_order": rng.random() < 0.2}
    if rng.random() < 0.15:
        settings["userblock_size"] = rng.choice([512, 1024, 4096])
    notes.append(str(settings))
    with h5py.File(path, "w", **settings) as file:
        for i in range(rng.choice([0, 0, 0, 3, 12, 60])):
            file.create_dataset(f"other {i}", data=numpy.arange(i))
        for part in ["tr", "tst"]:
            # With 400 windows and small chunks, the chunk index has several pages and levels.
            windows = rng.choice([1, 2, 3, 5, 8, 12, 40, 400])
            x = samples(rng, (windows, steps, channels), numpy.dtype(order() + rng.choice(DATA_TYPES)))
            label_type = rng.choice(LABEL_TYPES)
            y = numpy.zeros((windows, classes), numpy.dtype("?" if label_type == "?" else order() + label_type))
            y[numpy.arange(windows), [rng.randrange(classes) for _ in range(windows)]] = 1
            for name, values in [(part + "X", x), (part + "Y", y)]:
                place, where = name, rng.choice(["root", "root", "root", "root", "soft link", "hard link"])
                group = file
                if where != "root":
                    group, place = file.require_group("group"), "inner " + name
                dataset = create(rng, group, place, values, notes)
                if where == "soft link":
                    file[name] = h5py.SoftLink("/group/" + place)
                elif where == "hard link":
                    file[name] = dataset
                for i in range(rng.choice([0, 0, 0, 2, 20])):
                    dataset.attrs[f"attribute {i}"] = i


def write_expected(path, text, notes):
    with h5py.File(path, "r") as file, open(text, "w", encoding="utf-8") as out:
        print("; ".join(notes), file=out)
        for part in ["tr", "tst"]:
            x, y = file[part + "X"][...], file[part + "Y"][...]
            assert (y.astype(int).sum(axis=1) == 1).all()
            print(*x.shape, y.shape[1], file=out)
            bits = x.astype("f8").astype("f4").view("u4").ravel()
            print(*(f"{value:08x}" for value in bits), file=out)
            print(*y.astype(int).argmax(axis=1), file=out)


def main():
    folder = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    os.makedirs(folder, exist_ok=True)
    for seed in range(first, first + count):
        path = os.path.join(folder, f"case-{seed:04}.h5")
        notes = []
        write_file(random.Random(seed), path, notes)
        try:
            write_expected(path, path[:-3] + ".txt", notes)
        except OSError as error:
            # HDF5 cannot always read its own files, for example if a resize moved a chunk to the edge.
            print(f"{path}: h5py cannot read it ({error}): {'; '.join(notes)}")
            os.remove(path)


if __name__ == "__main__":
    main()
