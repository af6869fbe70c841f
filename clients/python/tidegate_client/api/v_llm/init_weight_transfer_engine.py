from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.vllm_init_weight_transfer import VllmInitWeightTransfer
from ...models.vllm_message import VllmMessage
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: VllmInitWeightTransfer | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/init_weight_transfer_engine",
    }

    if not isinstance(body, Unset):
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | VllmMessage | None:
    if response.status_code == 200:
        response_200 = VllmMessage.from_dict(response.json())

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

    if response.status_code == 413:
        response_413 = OpenAiError.from_dict(response.json())

        return response_413

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
) -> Response[OpenAiError | VllmMessage]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: VllmInitWeightTransfer | Unset = UNSET,
) -> Response[OpenAiError | VllmMessage]:
    """Join the trainer's group

     Goes to all servers at once. Each gets its own `rank_offset`: the trainer's ranks come first, then
    the servers in order of attachment. `world_size` must be the trainer's ranks plus `/get_world_size`,
    or nobody joins.

    Args:
        body (VllmInitWeightTransfer | Unset):  Example: {'init_info': {'master_address':
            '10.0.0.5', 'master_port': 51216, 'rank_offset': 1, 'world_size': 2}}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmMessage]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: VllmInitWeightTransfer | Unset = UNSET,
) -> OpenAiError | VllmMessage | None:
    """Join the trainer's group

     Goes to all servers at once. Each gets its own `rank_offset`: the trainer's ranks come first, then
    the servers in order of attachment. `world_size` must be the trainer's ranks plus `/get_world_size`,
    or nobody joins.

    Args:
        body (VllmInitWeightTransfer | Unset):  Example: {'init_info': {'master_address':
            '10.0.0.5', 'master_port': 51216, 'rank_offset': 1, 'world_size': 2}}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmMessage
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: VllmInitWeightTransfer | Unset = UNSET,
) -> Response[OpenAiError | VllmMessage]:
    """Join the trainer's group

     Goes to all servers at once. Each gets its own `rank_offset`: the trainer's ranks come first, then
    the servers in order of attachment. `world_size` must be the trainer's ranks plus `/get_world_size`,
    or nobody joins.

    Args:
        body (VllmInitWeightTransfer | Unset):  Example: {'init_info': {'master_address':
            '10.0.0.5', 'master_port': 51216, 'rank_offset': 1, 'world_size': 2}}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmMessage]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: VllmInitWeightTransfer | Unset = UNSET,
) -> OpenAiError | VllmMessage | None:
    """Join the trainer's group

     Goes to all servers at once. Each gets its own `rank_offset`: the trainer's ranks come first, then
    the servers in order of attachment. `world_size` must be the trainer's ranks plus `/get_world_size`,
    or nobody joins.

    Args:
        body (VllmInitWeightTransfer | Unset):  Example: {'init_info': {'master_address':
            '10.0.0.5', 'master_port': 51216, 'rank_offset': 1, 'world_size': 2}}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmMessage
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
