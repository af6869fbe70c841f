from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...types import File, Response


def _get_kwargs(
    id: str,
    index: int,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/weight-syncs/{id}/tensors/{index}".format(
            id=quote(str(id), safe=""),
            index=quote(str(index), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> File | Problem | None:
    if response.status_code == 200:
        response_200 = File(payload=BytesIO(response.content))

        return response_200

    if response.status_code == 206:
        response_206 = File(payload=BytesIO(response.content))

        return response_206

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[File | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: str,
    index: int,
    *,
    client: AuthenticatedClient | Client,
) -> Response[File | Problem]:
    """Bytes of a weight file

     One safetensors file, streamed; `Range: bytes=FIRST-LAST` gives a part of it. For vLLM servers with
    the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the gateway gave this one
    server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.
        index (int): Place in the list. Example: 0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[File | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        index=index,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    index: int,
    *,
    client: AuthenticatedClient | Client,
) -> File | Problem | None:
    """Bytes of a weight file

     One safetensors file, streamed; `Range: bytes=FIRST-LAST` gives a part of it. For vLLM servers with
    the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the gateway gave this one
    server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.
        index (int): Place in the list. Example: 0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        File | Problem
    """

    return sync_detailed(
        id=id,
        index=index,
        client=client,
    ).parsed


async def asyncio_detailed(
    id: str,
    index: int,
    *,
    client: AuthenticatedClient | Client,
) -> Response[File | Problem]:
    """Bytes of a weight file

     One safetensors file, streamed; `Range: bytes=FIRST-LAST` gives a part of it. For vLLM servers with
    the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the gateway gave this one
    server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.
        index (int): Place in the list. Example: 0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[File | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        index=index,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    index: int,
    *,
    client: AuthenticatedClient | Client,
) -> File | Problem | None:
    """Bytes of a weight file

     One safetensors file, streamed; `Range: bytes=FIRST-LAST` gives a part of it. For vLLM servers with
    the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the gateway gave this one
    server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.
        index (int): Place in the list. Example: 0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        File | Problem
    """

    return (
        await asyncio_detailed(
            id=id,
            index=index,
            client=client,
        )
    ).parsed
