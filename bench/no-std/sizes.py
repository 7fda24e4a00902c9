#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the chip's crates for thumbv6m and says what each takes, by section. The environment comes from
.ci/chip-compiler; without an argument nothing is checked, with --limit BYTES all of it must fit into that much flash."""
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = "thumbv6m-none-eabi"
SECTIONS = (".text", ".rodata", ".data", ".bss")


def build(features):
    environment = dict(os.environ)
    flags = "CARGO_TARGET_THUMBV6M_NONE_EABI_RUSTFLAGS"
    # laid out as on the chip: code in flash, the rest in RAM
    environment[flags] += " -C link-arg=--gc-sections -C link-arg=-estart -C link-arg=--image-base=0x10000000"
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "--target", TARGET, "--features", features],
        cwd=HERE, env=environment, check=True)
    directory = environment.get("CARGO_TARGET_DIR", os.path.join(HERE, "target"))
    return sizes(os.path.join(directory, TARGET, "release", "no-std"))


def sizes(path):
    """Sizes of the sections of an ELF file of 32 bits; exception tables are not linked into a firmware."""
    with open(path, "rb") as file:
        elf = file.read()
    offset, = struct.unpack_from("<I", elf, 32)
    entry, count, names = struct.unpack_from("<HHH", elf, 46)
    headers = [struct.unpack_from("<10I", elf, offset + entry * n) for n in range(count)]
    found = dict.fromkeys(SECTIONS, 0)
    for header in headers:
        start = headers[names][4] + header[0]
        name = elf[start:elf.index(b"\0", start)].decode()
        for section in SECTIONS:
            if name == section or name.startswith(section + "."):
                found[section] += header[5]
    return found


def main():
    print(f"{'part':28}" + "".join(f"{section:>10}" for section in SECTIONS) + f"{'flash':>10}{'RAM':>8}")
    rows = [("nothing", ""), ("pico-eci: verify, start", "eci"), ("pico-eci, pico-flash", "eci,flash"),
            ("pico-eci, pico-wasm", "eci,wasm"), ("pico-eci, -flash, -wasm", "eci,flash,wasm"), ("all of them, with pico-node", "node"),
            ("the same, with SPDY", "spdy")]
    flash = 0
    for name, features in rows:
        found = build(features)
        flash = found[".text"] + found[".rodata"] + found[".data"]
        columns = [found[section] for section in SECTIONS] + [flash]
        print(f"{name:28}" + "".join(f"{column:>10}" for column in columns) + f"{found['.data'] + found['.bss']:>8}")
    if sys.argv[1:2] == ["--limit"] and flash > int(sys.argv[2]):
        sys.exit(f"{flash} bytes of flash are more than {sys.argv[2]}")


main()
