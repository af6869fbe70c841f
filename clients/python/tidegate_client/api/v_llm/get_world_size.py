from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_world_size_include_dp import (
    GetWorldSizeIncludeDp,
)
from ...models.open_ai_error import OpenAiError
from ...models.world_size import WorldSize
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    include_dp: GetWorldSizeIncludeDp | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_include_dp: str | Unset = UNSET
    if not isinstance(include_dp, Unset):
        json_include_dp = include_dp

    params["include_dp"] = json_include_dp

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/get_world_size",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | WorldSize | None:
    if response.status_code == 200:
        response_200 = WorldSize.from_dict(response.json())

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

    if response.status_code == 500:
        response_500 = OpenAiError.from_dict(response.json())

        return response_500

    if response.status_code == 503:
        response_503 = OpenAiError.from_dict(response.json())

        return response_503

    if response.status_code == 504:
        response_504 = OpenAiError.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[OpenAiError | WorldSize]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    include_dp: GetWorldSizeIncludeDp | Unset = UNSET,
) -> Response[OpenAiError | WorldSize]:
    """Ranks that receive weights, over all replicas

     The servers that could join a trainer's group now: those that are up and answer. With
    `include_dp=false` the sum of what each server says without its own data parallelism.

    Args:
        include_dp (GetWorldSizeIncludeDp | Unset): false: one replica's ranks. Default true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | WorldSize]
    """

    kwargs = _get_kwargs(
        include_dp=include_dp,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    include_dp: GetWorldSizeIncludeDp | Unset = UNSET,
) -> OpenAiError | WorldSize | None:
    """Ranks that receive weights, over all replicas

     The servers that could join a trainer's group now: those that are up and answer. With
    `include_dp=false` the sum of what each server says without its own data parallelism.

    Args:
        include_dp (GetWorldSizeIncludeDp | Unset): false: one replica's ranks. Default true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | WorldSize
    """

    return sync_detailed(
        client=client,
        include_dp=include_dp,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    include_dp: GetWorldSizeIncludeDp | Unset = UNSET,
) -> Response[OpenAiError | WorldSize]:
    """Ranks that receive weights, over all replicas

     The servers that could join a trainer's group now: those that are up and answer. With
    `include_dp=false` the sum of what each server says without its own data parallelism.

    Args:
        include_dp (GetWorldSizeIncludeDp | Unset): false: one replica's ranks. Default true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | WorldSize]
    """

    kwargs = _get_kwargs(
        include_dp=include_dp,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    include_dp: GetWorldSizeIncludeDp | Unset = UNSET,
) -> OpenAiError | WorldSize | None:
    """Ranks that receive weights, over all replicas

     The servers that could join a trainer's group now: those that are up and answer. With
    `include_dp=false` the sum of what each server says without its own data parallelism.

    Args:
        include_dp (GetWorldSizeIncludeDp | Unset): false: one replica's ranks. Default true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | WorldSize
    """

    return (
        await asyncio_detailed(
            client=client,
            include_dp=include_dp,
        )
    ).parsed
