from typing import Literal

NcclSourceKind = Literal["nccl"]

NCCL_SOURCE_KIND_VALUES: set[NcclSourceKind] = {
    "nccl",
}


def check_nccl_source_kind(value: str) -> NcclSourceKind:
    if value in NCCL_SOURCE_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {NCCL_SOURCE_KIND_VALUES!r}"
    )
