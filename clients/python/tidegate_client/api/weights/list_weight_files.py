from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...models.weight_file_list import WeightFileList
from ...types import Response


def _get_kwargs(
    id: str,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/weight-syncs/{id}/tensors".format(
            id=quote(str(id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | WeightFileList | None:
    if response.status_code == 200:
        response_200 = WeightFileList.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Problem | WeightFileList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[Problem | WeightFileList]:
    """Files of a transfer

     For vLLM servers with the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the
    gateway gave this one server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WeightFileList]
    """

    kwargs = _get_kwargs(
        id=id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Problem | WeightFileList | None:
    """Files of a transfer

     For vLLM servers with the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the
    gateway gave this one server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WeightFileList
    """

    return sync_detailed(
        id=id,
        client=client,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[Problem | WeightFileList]:
    """Files of a transfer

     For vLLM servers with the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the
    gateway gave this one server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WeightFileList]
    """

    kwargs = _get_kwargs(
        id=id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Problem | WeightFileList | None:
    """Files of a transfer

     For vLLM servers with the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the
    gateway gave this one server for this one transfer; it ends with the transfer.

    Args:
        id (str): Id of the transfer. Example: ws_7d1f2c.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WeightFileList
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
        )
    ).parsed
