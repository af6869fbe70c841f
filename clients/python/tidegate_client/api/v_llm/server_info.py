from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.server_info_config_format import (
    ServerInfoConfigFormat,
)
from ...models.vllm_server_info import VllmServerInfo
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    config_format: ServerInfoConfigFormat | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_config_format: str | Unset = UNSET
    if not isinstance(config_format, Unset):
        json_config_format = config_format

    params["config_format"] = json_config_format

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/server_info",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | VllmServerInfo | None:
    if response.status_code == 200:
        response_200 = VllmServerInfo.from_dict(response.json())

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
) -> Response[OpenAiError | VllmServerInfo]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    config_format: ServerInfoConfigFormat | Unset = UNSET,
) -> Response[OpenAiError | VllmServerInfo]:
    """Configuration, as trainers read it

     Answered by a vLLM replica where there is one. Embedded replicas say `weight_transfer_config: null`:
    they take weights through `POST /api/weight-syncs`, not through NCCL.

    Args:
        config_format (ServerInfoConfigFormat | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmServerInfo]
    """

    kwargs = _get_kwargs(
        config_format=config_format,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    config_format: ServerInfoConfigFormat | Unset = UNSET,
) -> OpenAiError | VllmServerInfo | None:
    """Configuration, as trainers read it

     Answered by a vLLM replica where there is one. Embedded replicas say `weight_transfer_config: null`:
    they take weights through `POST /api/weight-syncs`, not through NCCL.

    Args:
        config_format (ServerInfoConfigFormat | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmServerInfo
    """

    return sync_detailed(
        client=client,
        config_format=config_format,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    config_format: ServerInfoConfigFormat | Unset = UNSET,
) -> Response[OpenAiError | VllmServerInfo]:
    """Configuration, as trainers read it

     Answered by a vLLM replica where there is one. Embedded replicas say `weight_transfer_config: null`:
    they take weights through `POST /api/weight-syncs`, not through NCCL.

    Args:
        config_format (ServerInfoConfigFormat | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmServerInfo]
    """

    kwargs = _get_kwargs(
        config_format=config_format,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    config_format: ServerInfoConfigFormat | Unset = UNSET,
) -> OpenAiError | VllmServerInfo | None:
    """Configuration, as trainers read it

     Answered by a vLLM replica where there is one. Embedded replicas say `weight_transfer_config: null`:
    they take weights through `POST /api/weight-syncs`, not through NCCL.

    Args:
        config_format (ServerInfoConfigFormat | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmServerInfo
    """

    return (
        await asyncio_detailed(
            client=client,
            config_format=config_format,
        )
    ).parsed
