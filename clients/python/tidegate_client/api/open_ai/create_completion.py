from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.completion_request import CompletionRequest
from ...models.completion_response import CompletionResponse
from ...models.open_ai_error import OpenAiError
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: CompletionRequest,
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
        "url": "/v1/completions",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> CompletionResponse | OpenAiError | None:
    if response.status_code == 200:
        response_200 = CompletionResponse.from_dict(response.json())

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
) -> Response[CompletionResponse | OpenAiError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CompletionRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> Response[CompletionResponse | OpenAiError]:
    """Continue a text or token ids

     OpenAI's completions with vLLM's additions: token-id prompts, `prompt_logprobs`, `return_token_ids`
    and more. A replica that speaks this dialect gets the request byte for byte and its answer comes
    back untouched. A list of prompts is shared out over replicas of one weight version and put together
    in order.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (CompletionRequest):  Example: {'model': 'tide-nano', 'prompt': 'What is 17 + 25?',
            'max_tokens': 16, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CompletionResponse | OpenAiError]
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
    body: CompletionRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> CompletionResponse | OpenAiError | None:
    """Continue a text or token ids

     OpenAI's completions with vLLM's additions: token-id prompts, `prompt_logprobs`, `return_token_ids`
    and more. A replica that speaks this dialect gets the request byte for byte and its answer comes
    back untouched. A list of prompts is shared out over replicas of one weight version and put together
    in order.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (CompletionRequest):  Example: {'model': 'tide-nano', 'prompt': 'What is 17 + 25?',
            'max_tokens': 16, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CompletionResponse | OpenAiError
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
    body: CompletionRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> Response[CompletionResponse | OpenAiError]:
    """Continue a text or token ids

     OpenAI's completions with vLLM's additions: token-id prompts, `prompt_logprobs`, `return_token_ids`
    and more. A replica that speaks this dialect gets the request byte for byte and its answer comes
    back untouched. A list of prompts is shared out over replicas of one weight version and put together
    in order.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (CompletionRequest):  Example: {'model': 'tide-nano', 'prompt': 'What is 17 + 25?',
            'max_tokens': 16, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CompletionResponse | OpenAiError]
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
    body: CompletionRequest,
    x_min_weight_version: str | Unset = UNSET,
    x_exact_weight_version: str | Unset = UNSET,
    x_max_weight_lag: str | Unset = UNSET,
    x_weight_wait: str | Unset = UNSET,
    x_session_id: str | Unset = UNSET,
) -> CompletionResponse | OpenAiError | None:
    """Continue a text or token ids

     OpenAI's completions with vLLM's additions: token-id prompts, `prompt_logprobs`, `return_token_ids`
    and more. A replica that speaks this dialect gets the request byte for byte and its answer comes
    back untouched. A list of prompts is shared out over replicas of one weight version and put together
    in order.

    Args:
        x_min_weight_version (str | Unset):
        x_exact_weight_version (str | Unset):
        x_max_weight_lag (str | Unset):
        x_weight_wait (str | Unset):
        x_session_id (str | Unset):
        body (CompletionRequest):  Example: {'model': 'tide-nano', 'prompt': 'What is 17 + 25?',
            'max_tokens': 16, 'temperature': 0}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CompletionResponse | OpenAiError
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
