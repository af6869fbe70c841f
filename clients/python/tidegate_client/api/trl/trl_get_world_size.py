from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.trl_error import TrlError
from ...models.trl_validation_error import TrlValidationError
from ...models.world_size import WorldSize
from ...types import Response


def _get_kwargs() -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/get_world_size/",
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> TrlError | TrlValidationError | WorldSize | None:
    if response.status_code == 200:
        response_200 = WorldSize.from_dict(response.json())

        return response_200

    if response.status_code == 401:
        response_401 = TrlError.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = TrlError.from_dict(response.json())

        return response_403

    if response.status_code == 422:
        response_422 = TrlValidationError.from_dict(response.json())

        return response_422

    if response.status_code == 500:
        response_500 = TrlError.from_dict(response.json())

        return response_500

    if response.status_code == 503:
        response_503 = TrlError.from_dict(response.json())

        return response_503

    if response.status_code == 504:
        response_504 = TrlError.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[TrlError | TrlValidationError | WorldSize]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
) -> Response[TrlError | TrlValidationError | WorldSize]:
    """Ranks on this side of the trainer's NCCL group

     In front of native vLLM servers the gateway itself is the one rank; else the sum over all replicas.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrlError | TrlValidationError | WorldSize]
    """

    kwargs = _get_kwargs()

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
) -> TrlError | TrlValidationError | WorldSize | None:
    """Ranks on this side of the trainer's NCCL group

     In front of native vLLM servers the gateway itself is the one rank; else the sum over all replicas.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrlError | TrlValidationError | WorldSize
    """

    return sync_detailed(
        client=client,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
) -> Response[TrlError | TrlValidationError | WorldSize]:
    """Ranks on this side of the trainer's NCCL group

     In front of native vLLM servers the gateway itself is the one rank; else the sum over all replicas.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrlError | TrlValidationError | WorldSize]
    """

    kwargs = _get_kwargs()

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
) -> TrlError | TrlValidationError | WorldSize | None:
    """Ranks on this side of the trainer's NCCL group

     In front of native vLLM servers the gateway itself is the one rank; else the sum over all replicas.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrlError | TrlValidationError | WorldSize
    """

    return (
        await asyncio_detailed(
            client=client,
        )
    ).parsed
