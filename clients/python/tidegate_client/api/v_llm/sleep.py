from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.sleep_mode import SleepMode
from ...models.vllm_sleeping import VllmSleeping
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    level: int | Unset = UNSET,
    mode: SleepMode | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["level"] = level

    json_mode: str | Unset = UNSET
    if not isinstance(mode, Unset):
        json_mode = mode

    params["mode"] = json_mode

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/sleep",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | VllmSleeping | None:
    if response.status_code == 200:
        response_200 = VllmSleeping.from_dict(response.json())

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
) -> Response[OpenAiError | VllmSleeping]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    level: int | Unset = UNSET,
    mode: SleepMode | Unset = UNSET,
) -> Response[OpenAiError | VllmSleeping]:
    """Stop generating and give memory back

    Args:
        level (int | Unset): 0: only stop generating. 1: give the memory of weights and KV cache
            back; waking restores the weights. 2: discard the weights; they are loaded again when all
            is awake, unless a sync brought others before. Default 1.
        mode (SleepMode | Unset): What becomes of running requests, as in `/pause`. Default abort.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmSleeping]
    """

    kwargs = _get_kwargs(
        level=level,
        mode=mode,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    level: int | Unset = UNSET,
    mode: SleepMode | Unset = UNSET,
) -> OpenAiError | VllmSleeping | None:
    """Stop generating and give memory back

    Args:
        level (int | Unset): 0: only stop generating. 1: give the memory of weights and KV cache
            back; waking restores the weights. 2: discard the weights; they are loaded again when all
            is awake, unless a sync brought others before. Default 1.
        mode (SleepMode | Unset): What becomes of running requests, as in `/pause`. Default abort.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmSleeping
    """

    return sync_detailed(
        client=client,
        level=level,
        mode=mode,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    level: int | Unset = UNSET,
    mode: SleepMode | Unset = UNSET,
) -> Response[OpenAiError | VllmSleeping]:
    """Stop generating and give memory back

    Args:
        level (int | Unset): 0: only stop generating. 1: give the memory of weights and KV cache
            back; waking restores the weights. 2: discard the weights; they are loaded again when all
            is awake, unless a sync brought others before. Default 1.
        mode (SleepMode | Unset): What becomes of running requests, as in `/pause`. Default abort.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | VllmSleeping]
    """

    kwargs = _get_kwargs(
        level=level,
        mode=mode,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    level: int | Unset = UNSET,
    mode: SleepMode | Unset = UNSET,
) -> OpenAiError | VllmSleeping | None:
    """Stop generating and give memory back

    Args:
        level (int | Unset): 0: only stop generating. 1: give the memory of weights and KV cache
            back; waking restores the weights. 2: discard the weights; they are loaded again when all
            is awake, unless a sync brought others before. Default 1.
        mode (SleepMode | Unset): What becomes of running requests, as in `/pause`. Default abort.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | VllmSleeping
    """

    return (
        await asyncio_detailed(
            client=client,
            level=level,
            mode=mode,
        )
    ).parsed
