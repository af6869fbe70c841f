from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.reset_prefix_cache_reset_external import (
    ResetPrefixCacheResetExternal,
)
from ...models.reset_prefix_cache_reset_running_requests import (
    ResetPrefixCacheResetRunningRequests,
)
from ...models.vllm_reset_prefix_cache import VllmResetPrefixCache
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    reset_running_requests: ResetPrefixCacheResetRunningRequests | Unset = UNSET,
    reset_external: ResetPrefixCacheResetExternal | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_reset_running_requests: str | Unset = UNSET
    if not isinstance(reset_running_requests, Unset):
        json_reset_running_requests = reset_running_requests

    params["reset_running_requests"] = json_reset_running_requests

    json_reset_external: str | Unset = UNSET
    if not isinstance(reset_external, Unset):
        json_reset_external = reset_external

    params["reset_external"] = json_reset_external

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/reset_prefix_cache",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | VllmResetPrefixCache | None:
    if response.status_code == 200:
        response_200 = VllmResetPrefixCache.from_dict(response.json())

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
) -> Response[OpenAiError | VllmResetPrefixCache]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    reset_running_requests: ResetPrefixCacheResetRunningRequests | Unset = UNSET,
    reset_external: ResetPrefixCacheResetExternal | Unset = UNSET,
) -> Response[OpenAiError | VllmResetPrefixCache]:
    """Forget cached prefixes on all replicas

     A refused reset is a 200 with `success: false`, as in vLLM.

    Args:
        reset_running_requests (ResetPrefixCacheResetRunningRequests | Unset): Also while requests
            run. Default false.
        reset_external (ResetPrefixCacheResetExternal | Unset): Accepted; there is no external
            cache.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmResetPrefixCache]
    """

    kwargs = _get_kwargs(
        reset_running_requests=reset_running_requests,
        reset_external=reset_external,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    reset_running_requests: ResetPrefixCacheResetRunningRequests | Unset = UNSET,
    reset_external: ResetPrefixCacheResetExternal | Unset = UNSET,
) -> OpenAiError | VllmResetPrefixCache | None:
    """Forget cached prefixes on all replicas

     A refused reset is a 200 with `success: false`, as in vLLM.

    Args:
        reset_running_requests (ResetPrefixCacheResetRunningRequests | Unset): Also while requests
            run. Default false.
        reset_external (ResetPrefixCacheResetExternal | Unset): Accepted; there is no external
            cache.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmResetPrefixCache
    """

    return sync_detailed(
        client=client,
        reset_running_requests=reset_running_requests,
        reset_external=reset_external,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    reset_running_requests: ResetPrefixCacheResetRunningRequests | Unset = UNSET,
    reset_external: ResetPrefixCacheResetExternal | Unset = UNSET,
) -> Response[OpenAiError | VllmResetPrefixCache]:
    """Forget cached prefixes on all replicas

     A refused reset is a 200 with `success: false`, as in vLLM.

    Args:
        reset_running_requests (ResetPrefixCacheResetRunningRequests | Unset): Also while requests
            run. Default false.
        reset_external (ResetPrefixCacheResetExternal | Unset): Accepted; there is no external
            cache.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmResetPrefixCache]
    """

    kwargs = _get_kwargs(
        reset_running_requests=reset_running_requests,
        reset_external=reset_external,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    reset_running_requests: ResetPrefixCacheResetRunningRequests | Unset = UNSET,
    reset_external: ResetPrefixCacheResetExternal | Unset = UNSET,
) -> OpenAiError | VllmResetPrefixCache | None:
    """Forget cached prefixes on all replicas

     A refused reset is a 200 with `success: false`, as in vLLM.

    Args:
        reset_running_requests (ResetPrefixCacheResetRunningRequests | Unset): Also while requests
            run. Default false.
        reset_external (ResetPrefixCacheResetExternal | Unset): Accepted; there is no external
            cache.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmResetPrefixCache
    """

    return (
        await asyncio_detailed(
            client=client,
            reset_running_requests=reset_running_requests,
            reset_external=reset_external,
        )
    ).parsed
