from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.pause_clear_cache import PauseClearCache
from ...models.pause_mode import PauseMode
from ...models.vllm_status import VllmStatus
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    mode: PauseMode | Unset = UNSET,
    clear_cache: PauseClearCache | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_mode: str | Unset = UNSET
    if not isinstance(mode, Unset):
        json_mode = mode

    params["mode"] = json_mode

    json_clear_cache: str | Unset = UNSET
    if not isinstance(clear_cache, Unset):
        json_clear_cache = clear_cache

    params["clear_cache"] = json_clear_cache

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/pause",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | VllmStatus | None:
    if response.status_code == 200:
        response_200 = VllmStatus.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = OpenAiError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = OpenAiError.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = OpenAiError.from_dict(response.json())

        return response_403

    if response.status_code == 409:
        response_409 = OpenAiError.from_dict(response.json())

        return response_409

    if response.status_code == 424:
        response_424 = OpenAiError.from_dict(response.json())

        return response_424

    if response.status_code == 504:
        response_504 = OpenAiError.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[OpenAiError | VllmStatus]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    mode: PauseMode | Unset = UNSET,
    clear_cache: PauseClearCache | Unset = UNSET,
) -> Response[OpenAiError | VllmStatus]:
    """Stop generating on all replicas

     Idempotent. Requests that come meanwhile wait for `/resume`. A JSON body is ignored, as in vLLM.

    Args:
        mode (PauseMode | Unset): What happens to running generations: end, finish or freeze.
            Default `abort`.
        clear_cache (PauseClearCache | Unset): Drop cached prefixes, also with `keep`. Default
            true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmStatus]
    """

    kwargs = _get_kwargs(
        mode=mode,
        clear_cache=clear_cache,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    mode: PauseMode | Unset = UNSET,
    clear_cache: PauseClearCache | Unset = UNSET,
) -> OpenAiError | VllmStatus | None:
    """Stop generating on all replicas

     Idempotent. Requests that come meanwhile wait for `/resume`. A JSON body is ignored, as in vLLM.

    Args:
        mode (PauseMode | Unset): What happens to running generations: end, finish or freeze.
            Default `abort`.
        clear_cache (PauseClearCache | Unset): Drop cached prefixes, also with `keep`. Default
            true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmStatus
    """

    return sync_detailed(
        client=client,
        mode=mode,
        clear_cache=clear_cache,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    mode: PauseMode | Unset = UNSET,
    clear_cache: PauseClearCache | Unset = UNSET,
) -> Response[OpenAiError | VllmStatus]:
    """Stop generating on all replicas

     Idempotent. Requests that come meanwhile wait for `/resume`. A JSON body is ignored, as in vLLM.

    Args:
        mode (PauseMode | Unset): What happens to running generations: end, finish or freeze.
            Default `abort`.
        clear_cache (PauseClearCache | Unset): Drop cached prefixes, also with `keep`. Default
            true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmStatus]
    """

    kwargs = _get_kwargs(
        mode=mode,
        clear_cache=clear_cache,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    mode: PauseMode | Unset = UNSET,
    clear_cache: PauseClearCache | Unset = UNSET,
) -> OpenAiError | VllmStatus | None:
    """Stop generating on all replicas

     Idempotent. Requests that come meanwhile wait for `/resume`. A JSON body is ignored, as in vLLM.

    Args:
        mode (PauseMode | Unset): What happens to running generations: end, finish or freeze.
            Default `abort`.
        clear_cache (PauseClearCache | Unset): Drop cached prefixes, also with `keep`. Default
            true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmStatus
    """

    return (
        await asyncio_detailed(
            client=client,
            mode=mode,
            clear_cache=clear_cache,
        )
    ).parsed
