from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.vllm_unload_lora_adapter import VllmUnloadLoraAdapter
from ...types import Response


def _get_kwargs(
    *,
    body: VllmUnloadLoraAdapter,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/unload_lora_adapter",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | str | None:
    if response.status_code == 200:
        response_200 = response.text
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

    if response.status_code == 404:
        response_404 = OpenAiError.from_dict(response.json())

        return response_404

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
) -> Response[OpenAiError | str]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: VllmUnloadLoraAdapter,
) -> Response[OpenAiError | str]:
    """Take a LoRA adapter from every server

     On all servers or on none: when one fails, the others load it again. Requests under way are let
    finish first.

    Args:
        body (VllmUnloadLoraAdapter):  Example: {'lora_name': 'policy-v6'}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | str]
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
    body: VllmUnloadLoraAdapter,
) -> OpenAiError | str | None:
    """Take a LoRA adapter from every server

     On all servers or on none: when one fails, the others load it again. Requests under way are let
    finish first.

    Args:
        body (VllmUnloadLoraAdapter):  Example: {'lora_name': 'policy-v6'}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | str
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: VllmUnloadLoraAdapter,
) -> Response[OpenAiError | str]:
    """Take a LoRA adapter from every server

     On all servers or on none: when one fails, the others load it again. Requests under way are let
    finish first.

    Args:
        body (VllmUnloadLoraAdapter):  Example: {'lora_name': 'policy-v6'}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | str]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: VllmUnloadLoraAdapter,
) -> OpenAiError | str | None:
    """Take a LoRA adapter from every server

     On all servers or on none: when one fails, the others load it again. Requests under way are let
    finish first.

    Args:
        body (VllmUnloadLoraAdapter):  Example: {'lora_name': 'policy-v6'}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | str
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
