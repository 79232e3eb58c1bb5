#!/bin/sh
# images_sha256.sh COMPILER FOLDER: prints roms/images.sha256 for the images in FOLDER.
set -eu
echo "# The reference bytes of the images; cycle numbers are quoted with these sums."
echo "# compiler: $("$1" --version | head -n 1)"
cd "$2"
LC_ALL=C sha256sum -- *.elf
