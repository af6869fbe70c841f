from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.trl_error import TrlError
from ...models.trl_message import TrlMessage
from ...models.trl_named_param import TrlNamedParam
from ...models.trl_validation_error import TrlValidationError
from ...types import Response


def _get_kwargs(
    *,
    body: TrlNamedParam,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/update_named_param/",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> TrlError | TrlMessage | TrlValidationError | None:
    if response.status_code == 200:
        response_200 = TrlMessage.from_dict(response.json())

        return response_200

    if response.status_code == 401:
        response_401 = TrlError.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = TrlError.from_dict(response.json())

        return response_403

    if response.status_code == 409:
        response_409 = TrlError.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = TrlError.from_dict(response.json())

        return response_413

    if response.status_code == 422:
        response_422 = TrlValidationError.from_dict(response.json())

        return response_422

    if response.status_code == 424:
        response_424 = TrlError.from_dict(response.json())

        return response_424

    if response.status_code == 504:
        response_504 = TrlError.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[TrlError | TrlMessage | TrlValidationError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: TrlNamedParam,
) -> Response[TrlError | TrlMessage | TrlValidationError]:
    """Receive one tensor from the group

     The trainer broadcasts after the answer, then waits at the group's barrier.

    Args:
        body (TrlNamedParam):  Example: {'name': 'model.norm.weight', 'dtype': 'torch.bfloat16',
            'shape': [64]}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrlError | TrlMessage | TrlValidationError]
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
    body: TrlNamedParam,
) -> TrlError | TrlMessage | TrlValidationError | None:
    """Receive one tensor from the group

     The trainer broadcasts after the answer, then waits at the group's barrier.

    Args:
        body (TrlNamedParam):  Example: {'name': 'model.norm.weight', 'dtype': 'torch.bfloat16',
            'shape': [64]}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrlError | TrlMessage | TrlValidationError
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: TrlNamedParam,
) -> Response[TrlError | TrlMessage | TrlValidationError]:
    """Receive one tensor from the group

     The trainer broadcasts after the answer, then waits at the group's barrier.

    Args:
        body (TrlNamedParam):  Example: {'name': 'model.norm.weight', 'dtype': 'torch.bfloat16',
            'shape': [64]}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrlError | TrlMessage | TrlValidationError]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: TrlNamedParam,
) -> TrlError | TrlMessage | TrlValidationError | None:
    """Receive one tensor from the group

     The trainer broadcasts after the answer, then waits at the group's barrier.

    Args:
        body (TrlNamedParam):  Example: {'name': 'model.norm.weight', 'dtype': 'torch.bfloat16',
            'shape': [64]}.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrlError | TrlMessage | TrlValidationError
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
