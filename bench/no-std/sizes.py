#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the chip's crates for thumbv6m and says what each takes, by section. The environment comes from
.ci/chip-compiler; without an argument nothing is checked, with --limit BYTES all of it must fit into that much flash."""
import collections
import os
import re
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
    with open(os.path.join(directory, TARGET, "release", "no-std"), "rb") as file:
        return file.read()


def sections(elf):
    """The section headers of an ELF file of 32 bits, and the number of the one with their names."""
    offset, = struct.unpack_from("<I", elf, 32)
    entry, count, names = struct.unpack_from("<HHH", elf, 46)
    return [struct.unpack_from("<10I", elf, offset + entry * n) for n in range(count)], names


def text(elf, at):
    return elf[at:elf.index(b"\0", at)].decode()


def crate(symbol):
    """The crate of a mangled name: of an implementation, the first that it names; the linker's own and what is not mangled is
    the compiler's."""
    if found := re.match(r"_ZN\d+_\$LT\$.*?(\w+?)\.\.", symbol):
        return found[1].rsplit("$", 1)[-1]
    if found := re.match(r"_ZN(\d+)(\w+)", symbol) or re.search(r"C(?:s\w*?_)?(\d+)_?([a-z]\w*)", symbol):
        return found[2][:int(found[1])]
    return "compiler_builtins"


def crates(elf):
    """How much code of which crate there is; one that was inlined is where it was inlined into."""
    headers, _ = sections(elf)
    functions = {}
    for header in headers:
        if header[1] == 2:  # SHT_SYMTAB
            for at in range(header[4], header[4] + header[5], 16):
                name, value, size, info = struct.unpack_from("<IIIB", elf, at)
                if info & 15 == 2 and size:  # STT_FUNC
                    functions[value] = (size, text(elf, headers[header[6]][4] + name))
    found = collections.Counter()
    for size, name in functions.values():
        found["start" if name == "start" else crate(name)] += size
    return found


def sizes(elf):
    """Sizes of the sections; exception tables are not linked into a firmware."""
    headers, names = sections(elf)
    found = dict.fromkeys(SECTIONS, 0)
    for header in headers:
        name = text(elf, headers[names][4] + header[0])
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
        elf = build(features)
        found = sizes(elf)
        flash = found[".text"] + found[".rodata"] + found[".data"]
        columns = [found[section] for section in SECTIONS] + [flash]
        print(f"{name:28}" + "".join(f"{column:>10}" for column in columns) + f"{found['.data'] + found['.bss']:>8}")
    print("\ncode of the last by crate, in bytes")
    for name, size in crates(elf).most_common():
        print(f"{name:28}{size:>10}")
    if sys.argv[1:2] == ["--limit"] and flash > int(sys.argv[2]):
        sys.exit(f"{flash} bytes of flash are more than {sys.argv[2]}")


main()
