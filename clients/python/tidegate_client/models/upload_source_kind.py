from typing import Literal

UploadSourceKind = Literal["upload"]

UPLOAD_SOURCE_KIND_VALUES: set[UploadSourceKind] = {
    "upload",
}


def check_upload_source_kind(value: str) -> UploadSourceKind:
    if value in UPLOAD_SOURCE_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {UPLOAD_SOURCE_KIND_VALUES!r}"
    )
