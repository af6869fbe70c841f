from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...models.start_sync import StartSync
from ...models.sync_mode import SyncMode
from ...models.weight_sync import WeightSync
from ...types import UNSET, File, Response, Unset


def _get_kwargs(
    *,
    body: StartSync | File | Unset = UNSET,
    version: int | Unset = UNSET,
    label: str | Unset = UNSET,
    partial: bool | Unset = UNSET,
    mode: SyncMode | Unset = UNSET,
    deadline_s: float | Unset = UNSET,
    prefer: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(prefer, Unset):
        headers["prefer"] = prefer

    if not isinstance(idempotency_key, Unset):
        headers["idempotency-key"] = idempotency_key

    params: dict[str, Any] = {}

    params["version"] = version

    params["label"] = label

    params["partial"] = partial

    json_mode: str | Unset = UNSET
    if not isinstance(mode, Unset):
        json_mode = mode

    params["mode"] = json_mode

    params["deadline_s"] = deadline_s

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/weight-syncs",
        "params": params,
    }

    if isinstance(body, StartSync):
        _kwargs["json"] = body.to_dict()

        headers["Content-Type"] = "application/json"
    if isinstance(body, File):
        _kwargs["content"] = body.payload
        headers["Content-Type"] = "application/octet-stream"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | WeightSync | None:
    if response.status_code == 200:
        response_200 = WeightSync.from_dict(response.json())

        return response_200

    if response.status_code == 202:
        response_202 = WeightSync.from_dict(response.json())

        return response_202

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())

        return response_403

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())

        return response_415

    if response.status_code == 424:
        response_424 = Problem.from_dict(response.json())

        return response_424

    if response.status_code == 504:
        response_504 = Problem.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Problem | WeightSync]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: StartSync | File | Unset = UNSET,
    version: int | Unset = UNSET,
    label: str | Unset = UNSET,
    partial: bool | Unset = UNSET,
    mode: SyncMode | Unset = UNSET,
    deadline_s: float | Unset = UNSET,
    prefer: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Problem | WeightSync]:
    """Start a weight sync

     Brings new weights onto every replica as one transaction: stage on all, verify the digest on all,
    switch all, publish. Until then, and after any failure, the old weights serve on. Ask for it in
    JSON, or send a safetensors file as `application/octet-stream`, which is streamed and never held
    whole; the query then says the rest.

    Args:
        version (int | Unset): Uploads only. Must be greater than the current one; default: the
            next. Example: 4.
        label (str | Unset): Uploads only. Free text. Example: step-400.
        partial (bool | Unset): Uploads only. Only some tensors; the others stay as they are.
            Example: False.
        mode (SyncMode | Unset): What happens to generations in flight, in vLLM's words. Default
            `wait`.
        deadline_s (float | Unset): Uploads only. Seconds that the whole sync may take; default
            600. Example: 120.
        prefer (str | Unset): `wait=N`: answer when the sync has ended, or after N seconds.
            Example: wait=120.
        idempotency_key (str | Unset): The same key with the same request gives the same sync, not
            another one. Example: step-400.
        body (StartSync):
        body (File): A .safetensors file.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WeightSync]
    """

    kwargs = _get_kwargs(
        body=body,
        version=version,
        label=label,
        partial=partial,
        mode=mode,
        deadline_s=deadline_s,
        prefer=prefer,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: StartSync | File | Unset = UNSET,
    version: int | Unset = UNSET,
    label: str | Unset = UNSET,
    partial: bool | Unset = UNSET,
    mode: SyncMode | Unset = UNSET,
    deadline_s: float | Unset = UNSET,
    prefer: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Problem | WeightSync | None:
    """Start a weight sync

     Brings new weights onto every replica as one transaction: stage on all, verify the digest on all,
    switch all, publish. Until then, and after any failure, the old weights serve on. Ask for it in
    JSON, or send a safetensors file as `application/octet-stream`, which is streamed and never held
    whole; the query then says the rest.

    Args:
        version (int | Unset): Uploads only. Must be greater than the current one; default: the
            next. Example: 4.
        label (str | Unset): Uploads only. Free text. Example: step-400.
        partial (bool | Unset): Uploads only. Only some tensors; the others stay as they are.
            Example: False.
        mode (SyncMode | Unset): What happens to generations in flight, in vLLM's words. Default
            `wait`.
        deadline_s (float | Unset): Uploads only. Seconds that the whole sync may take; default
            600. Example: 120.
        prefer (str | Unset): `wait=N`: answer when the sync has ended, or after N seconds.
            Example: wait=120.
        idempotency_key (str | Unset): The same key with the same request gives the same sync, not
            another one. Example: step-400.
        body (StartSync):
        body (File): A .safetensors file.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WeightSync
    """

    return sync_detailed(
        client=client,
        body=body,
        version=version,
        label=label,
        partial=partial,
        mode=mode,
        deadline_s=deadline_s,
        prefer=prefer,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: StartSync | File | Unset = UNSET,
    version: int | Unset = UNSET,
    label: str | Unset = UNSET,
    partial: bool | Unset = UNSET,
    mode: SyncMode | Unset = UNSET,
    deadline_s: float | Unset = UNSET,
    prefer: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Problem | WeightSync]:
    """Start a weight sync

     Brings new weights onto every replica as one transaction: stage on all, verify the digest on all,
    switch all, publish. Until then, and after any failure, the old weights serve on. Ask for it in
    JSON, or send a safetensors file as `application/octet-stream`, which is streamed and never held
    whole; the query then says the rest.

    Args:
        version (int | Unset): Uploads only. Must be greater than the current one; default: the
            next. Example: 4.
        label (str | Unset): Uploads only. Free text. Example: step-400.
        partial (bool | Unset): Uploads only. Only some tensors; the others stay as they are.
            Example: False.
        mode (SyncMode | Unset): What happens to generations in flight, in vLLM's words. Default
            `wait`.
        deadline_s (float | Unset): Uploads only. Seconds that the whole sync may take; default
            600. Example: 120.
        prefer (str | Unset): `wait=N`: answer when the sync has ended, or after N seconds.
            Example: wait=120.
        idempotency_key (str | Unset): The same key with the same request gives the same sync, not
            another one. Example: step-400.
        body (StartSync):
        body (File): A .safetensors file.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WeightSync]
    """

    kwargs = _get_kwargs(
        body=body,
        version=version,
        label=label,
        partial=partial,
        mode=mode,
        deadline_s=deadline_s,
        prefer=prefer,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: StartSync | File | Unset = UNSET,
    version: int | Unset = UNSET,
    label: str | Unset = UNSET,
    partial: bool | Unset = UNSET,
    mode: SyncMode | Unset = UNSET,
    deadline_s: float | Unset = UNSET,
    prefer: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Problem | WeightSync | None:
    """Start a weight sync

     Brings new weights onto every replica as one transaction: stage on all, verify the digest on all,
    switch all, publish. Until then, and after any failure, the old weights serve on. Ask for it in
    JSON, or send a safetensors file as `application/octet-stream`, which is streamed and never held
    whole; the query then says the rest.

    Args:
        version (int | Unset): Uploads only. Must be greater than the current one; default: the
            next. Example: 4.
        label (str | Unset): Uploads only. Free text. Example: step-400.
        partial (bool | Unset): Uploads only. Only some tensors; the others stay as they are.
            Example: False.
        mode (SyncMode | Unset): What happens to generations in flight, in vLLM's words. Default
            `wait`.
        deadline_s (float | Unset): Uploads only. Seconds that the whole sync may take; default
            600. Example: 120.
        prefer (str | Unset): `wait=N`: answer when the sync has ended, or after N seconds.
            Example: wait=120.
        idempotency_key (str | Unset): The same key with the same request gives the same sync, not
            another one. Example: step-400.
        body (StartSync):
        body (File): A .safetensors file.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WeightSync
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            version=version,
            label=label,
            partial=partial,
            mode=mode,
            deadline_s=deadline_s,
            prefer=prefer,
            idempotency_key=idempotency_key,
        )
    ).parsed
