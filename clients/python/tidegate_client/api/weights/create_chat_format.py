from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.chat_format_request import ChatFormatRequest
from ...models.chat_format_result import ChatFormatResult
from ...models.problem import Problem
from ...types import Response


def _get_kwargs(
    *,
    body: ChatFormatRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/chat-formats",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ChatFormatResult | Problem | None:
    if response.status_code == 200:
        response_200 = ChatFormatResult.from_dict(response.json())

        return response_200

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

    if response.status_code == 500:
        response_500 = Problem.from_dict(response.json())

        return response_500

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())

        return response_503

    if response.status_code == 504:
        response_504 = Problem.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[ChatFormatResult | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatFormatRequest,
) -> Response[ChatFormatResult | Problem]:
    """Set up a chat format

     Writes a copy of a model directory with the special tokens `<|im_start|>` and `<|im_end|>`, the
    ChatML template and an embedding of as many rows as there are tokens (new ones by transformers'
    rule: the mean of the old, with a little noise). TRL's `setup_chat_format`. The source is only read;
    the new directory appears whole or not at all, and when the call is abandoned nothing of it stays.
    The fleet serves on as it was.

    Args:
        body (ChatFormatRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ChatFormatResult | Problem]
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
    body: ChatFormatRequest,
) -> ChatFormatResult | Problem | None:
    """Set up a chat format

     Writes a copy of a model directory with the special tokens `<|im_start|>` and `<|im_end|>`, the
    ChatML template and an embedding of as many rows as there are tokens (new ones by transformers'
    rule: the mean of the old, with a little noise). TRL's `setup_chat_format`. The source is only read;
    the new directory appears whole or not at all, and when the call is abandoned nothing of it stays.
    The fleet serves on as it was.

    Args:
        body (ChatFormatRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ChatFormatResult | Problem
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatFormatRequest,
) -> Response[ChatFormatResult | Problem]:
    """Set up a chat format

     Writes a copy of a model directory with the special tokens `<|im_start|>` and `<|im_end|>`, the
    ChatML template and an embedding of as many rows as there are tokens (new ones by transformers'
    rule: the mean of the old, with a little noise). TRL's `setup_chat_format`. The source is only read;
    the new directory appears whole or not at all, and when the call is abandoned nothing of it stays.
    The fleet serves on as it was.

    Args:
        body (ChatFormatRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ChatFormatResult | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: ChatFormatRequest,
) -> ChatFormatResult | Problem | None:
    """Set up a chat format

     Writes a copy of a model directory with the special tokens `<|im_start|>` and `<|im_end|>`, the
    ChatML template and an embedding of as many rows as there are tokens (new ones by transformers'
    rule: the mean of the old, with a little noise). TRL's `setup_chat_format`. The source is only read;
    the new directory appears whole or not at all, and when the call is abandoned nothing of it stays.
    The fleet serves on as it was.

    Args:
        body (ChatFormatRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ChatFormatResult | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
