from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.create_lease import CreateLease
from ...models.generation_lease import GenerationLease
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: CreateLease | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/generation-leases",
    }

    if not isinstance(body, Unset):
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GenerationLease | Problem | str | None:
    if response.status_code == 200:
        response_200 = response.text
        return response_200

    if response.status_code == 201:
        response_201 = GenerationLease.from_dict(response.json())

        return response_201

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 424:
        response_424 = Problem.from_dict(response.json())

        return response_424

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

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
) -> Response[GenerationLease | Problem | str]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateLease | Unset = UNSET,
) -> Response[GenerationLease | Problem | str]:
    """Hold a model for generation

     Brings the offloaded groups of a model into memory on every replica that has it, and answers when
    they are there. They are given back when the lease is deleted, when `ttl_s` passes without a PATCH,
    when the worker dies, when a weight sync in mode `abort` takes them, and with `stream` when the
    connection ends; then bytes per tier are as before. Leases are counted: nested and concurrent ones
    share what is gathered. A weight sync in mode `wait` waits for the leases of its replicas, new ones
    wait for it, and nested ones (`parent`) do not.

    Args:
        body (CreateLease | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GenerationLease | Problem | str]
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
    body: CreateLease | Unset = UNSET,
) -> GenerationLease | Problem | str | None:
    """Hold a model for generation

     Brings the offloaded groups of a model into memory on every replica that has it, and answers when
    they are there. They are given back when the lease is deleted, when `ttl_s` passes without a PATCH,
    when the worker dies, when a weight sync in mode `abort` takes them, and with `stream` when the
    connection ends; then bytes per tier are as before. Leases are counted: nested and concurrent ones
    share what is gathered. A weight sync in mode `wait` waits for the leases of its replicas, new ones
    wait for it, and nested ones (`parent`) do not.

    Args:
        body (CreateLease | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GenerationLease | Problem | str
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateLease | Unset = UNSET,
) -> Response[GenerationLease | Problem | str]:
    """Hold a model for generation

     Brings the offloaded groups of a model into memory on every replica that has it, and answers when
    they are there. They are given back when the lease is deleted, when `ttl_s` passes without a PATCH,
    when the worker dies, when a weight sync in mode `abort` takes them, and with `stream` when the
    connection ends; then bytes per tier are as before. Leases are counted: nested and concurrent ones
    share what is gathered. A weight sync in mode `wait` waits for the leases of its replicas, new ones
    wait for it, and nested ones (`parent`) do not.

    Args:
        body (CreateLease | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GenerationLease | Problem | str]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: CreateLease | Unset = UNSET,
) -> GenerationLease | Problem | str | None:
    """Hold a model for generation

     Brings the offloaded groups of a model into memory on every replica that has it, and answers when
    they are there. They are given back when the lease is deleted, when `ttl_s` passes without a PATCH,
    when the worker dies, when a weight sync in mode `abort` takes them, and with `stream` when the
    connection ends; then bytes per tier are as before. Leases are counted: nested and concurrent ones
    share what is gathered. A weight sync in mode `wait` waits for the leases of its replicas, new ones
    wait for it, and nested ones (`parent`) do not.

    Args:
        body (CreateLease | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GenerationLease | Problem | str
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
