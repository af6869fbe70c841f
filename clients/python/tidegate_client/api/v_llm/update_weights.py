from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.vllm_message import VllmMessage
from ...models.vllm_update_weights import VllmUpdateWeights
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: VllmUpdateWeights | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/update_weights",
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
    body: VllmUpdateWeights | Unset = UNSET,
) -> Response[OpenAiError | VllmMessage]:
    """Receive tensors from the trainer

     Answers when every server has received them. When one fails, all servers of the update are fenced
    until a complete update succeeded.

    Args:
        body (VllmUpdateWeights | Unset):  Example: {'update_info': {'names':
            ['model.norm.weight'], 'dtype_names': ['bfloat16'], 'shapes': [[64]]}}.

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
    body: VllmUpdateWeights | Unset = UNSET,
) -> OpenAiError | VllmMessage | None:
    """Receive tensors from the trainer

     Answers when every server has received them. When one fails, all servers of the update are fenced
    until a complete update succeeded.

    Args:
        body (VllmUpdateWeights | Unset):  Example: {'update_info': {'names':
            ['model.norm.weight'], 'dtype_names': ['bfloat16'], 'shapes': [[64]]}}.

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
    body: VllmUpdateWeights | Unset = UNSET,
) -> Response[OpenAiError | VllmMessage]:
    """Receive tensors from the trainer

     Answers when every server has received them. When one fails, all servers of the update are fenced
    until a complete update succeeded.

    Args:
        body (VllmUpdateWeights | Unset):  Example: {'update_info': {'names':
            ['model.norm.weight'], 'dtype_names': ['bfloat16'], 'shapes': [[64]]}}.

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
    body: VllmUpdateWeights | Unset = UNSET,
) -> OpenAiError | VllmMessage | None:
    """Receive tensors from the trainer

     Answers when every server has received them. When one fails, all servers of the update are fenced
    until a complete update succeeded.

    Args:
        body (VllmUpdateWeights | Unset):  Example: {'update_info': {'names':
            ['model.norm.weight'], 'dtype_names': ['bfloat16'], 'shapes': [[64]]}}.

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
