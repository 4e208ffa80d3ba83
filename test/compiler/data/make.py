"""Writes the .npy and .npz files that npy_test, npz_test and samples_test read: python test/compiler/data/make.py

Every array holds 0, 1, 2, ... in row-major order unless its name says something else.
"""

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def count(*shape, dtype="<f4"):
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


def main():
    for dtype in ("<f4", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", ">i2", "<u2", "<i4", "<u4", ">i8", "<i8", "<u8"):
        name = dtype.replace("<", "little_").replace(">", "big_").replace("|", "")
        np.save(HERE / f"{name}.npy", count(2, 3, dtype=dtype))
    np.save(HERE / "bool.npy", np.array([[False, True], [True, False]]))
    np.save(HERE / "fortran.npy", np.asfortranarray(count(2, 3, 4)))
    np.save(HERE / "scalar.npy", np.float32(7))
    np.save(HERE / "half.npy", count(2, dtype="<f2"))
    np.save(HERE / "complex.npy", count(2, dtype="<c8"))
    np.save(HERE / "object.npy", np.array([None, 1], dtype=object), allow_pickle=True)
    np.save(HERE / "fields.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    for version in (2, 3):
        with open(HERE / f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, count(2, 3), version=(version, 0))

    labels = np.array([1, 0, 2])
    np.savez(HERE / "plain.npz", x=count(3, 4), labels=labels)
    np.savez_compressed(HERE / "compressed.npz", x=count(3, 4), y=labels)
    np.savez(HERE / "two_inputs.npz", b=count(3, 2, dtype="<i4"), a=count(3, 1, 4))
    np.savez(HERE / "nothing.npz")
    np.savez(HERE / "labels_float.npz", x=count(3, 4), labels=labels.astype("<f4"))
    np.savez(HERE / "labels_few.npz", x=count(3, 4), y=labels[:2])
    np.savez(HERE / "labels_negative.npz", x=count(3, 4), labels=np.array([0, -1, 2]))
    np.savez(HERE / "labels_twice.npz", x=count(3, 4), labels=labels, y=labels)
    np.savez(HERE / "labels_column.npz", x=count(3, 4), labels=labels.astype("|u1").reshape(3, 1))
    np.savez(HERE / "counts.npz", x=count(3, 2), z=count(2, 1))


if __name__ == "__main__":
    main()
