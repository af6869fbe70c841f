from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.open_ai_error import OpenAiError
from ...models.response import Response
from ...models.response_request import ResponseRequest
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: ResponseRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_min_weight_version, Unset):
        headers["x-min-weight-version"] = x_min_weight_version

    if not isinstance(x_exact_weight_version, Unset):
        headers["x-exact-weight-version"] = x_exact_weight_version

    if not isinstance(x_max_weight_lag, Unset):
        headers["x-max-weight-lag"] = x_max_weight_lag

    if not isinstance(x_weight_wait, Unset):
        headers["x-weight-wait"] = x_weight_wait

    if not isinstance(x_session_id, Unset):
        headers["x-session-id"] = x_session_id

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/responses",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OpenAiError | Response | None:
    if response.status_code == 200:
        response_200 = Response.from_dict(response.json())

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

    if response.status_code == 412:
        response_412 = OpenAiError.from_dict(response.json())

        return response_412

    if response.status_code == 413:
        response_413 = OpenAiError.from_dict(response.json())

        return response_413

    if response.status_code == 424:
        response_424 = OpenAiError.from_dict(response.json())

        return response_424

    if response.status_code == 429:
        response_429 = OpenAiError.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = OpenAiError.from_dict(response.json())

        return response_500

    if response.status_code == 502:
        response_502 = OpenAiError.from_dict(response.json())

        return response_502

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
) -> Response[OpenAiError | Response]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ResponseRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> Response[OpenAiError | Response]:
    """Answer a text or a conversation

     OpenAI's responses with vLLM's additions: text in, text out, structured by `text.format`. Embedded
    replicas keep no response: `store: true`, `previous_response_id`, `conversation`, `background` and
    tools are refused by name. vLLM servers get the request byte for byte.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (ResponseRequest):  Example: {'model': 'tide-nano', 'input': 'What is 17 + 25?',
            'max_output_tokens': 32, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | Response]
    """

    kwargs = _get_kwargs(
        body=body,
        x_min_weight_version=x_min_weight_version,
        x_exact_weight_version=x_exact_weight_version,
        x_max_weight_lag=x_max_weight_lag,
        x_weight_wait=x_weight_wait,
        x_session_id=x_session_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: ResponseRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> OpenAiError | Response | None:
    """Answer a text or a conversation

     OpenAI's responses with vLLM's additions: text in, text out, structured by `text.format`. Embedded
    replicas keep no response: `store: true`, `previous_response_id`, `conversation`, `background` and
    tools are refused by name. vLLM servers get the request byte for byte.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (ResponseRequest):  Example: {'model': 'tide-nano', 'input': 'What is 17 + 25?',
            'max_output_tokens': 32, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | Response
    """

    return sync_detailed(
        client=client,
        body=body,
        x_min_weight_version=x_min_weight_version,
        x_exact_weight_version=x_exact_weight_version,
        x_max_weight_lag=x_max_weight_lag,
        x_weight_wait=x_weight_wait,
        x_session_id=x_session_id,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ResponseRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> Response[OpenAiError | Response]:
    """Answer a text or a conversation

     OpenAI's responses with vLLM's additions: text in, text out, structured by `text.format`. Embedded
    replicas keep no response: `store: true`, `previous_response_id`, `conversation`, `background` and
    tools are refused by name. vLLM servers get the request byte for byte.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (ResponseRequest):  Example: {'model': 'tide-nano', 'input': 'What is 17 + 25?',
            'max_output_tokens': 32, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OpenAiError | Response]
    """

    kwargs = _get_kwargs(
        body=body,
        x_min_weight_version=x_min_weight_version,
        x_exact_weight_version=x_exact_weight_version,
        x_max_weight_lag=x_max_weight_lag,
        x_weight_wait=x_weight_wait,
        x_session_id=x_session_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: ResponseRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> OpenAiError | Response | None:
    """Answer a text or a conversation

     OpenAI's responses with vLLM's additions: text in, text out, structured by `text.format`. Embedded
    replicas keep no response: `store: true`, `previous_response_id`, `conversation`, `background` and
    tools are refused by name. vLLM servers get the request byte for byte.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (ResponseRequest):  Example: {'model': 'tide-nano', 'input': 'What is 17 + 25?',
            'max_output_tokens': 32, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OpenAiError | Response
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            x_min_weight_version=x_min_weight_version,
            x_exact_weight_version=x_exact_weight_version,
            x_max_weight_lag=x_max_weight_lag,
            x_weight_wait=x_weight_wait,
            x_session_id=x_session_id,
        )
    ).parsed
