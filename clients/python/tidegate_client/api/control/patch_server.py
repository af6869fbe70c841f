from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.patch_server import PatchServer
from ...models.problem import Problem
from ...models.server import Server
from ...types import Response


def _get_kwargs(
    id: str,
    *,
    body: PatchServer,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "patch",
        "url": "/api/servers/{id}".format(
            id=quote(str(id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | Server | None:
    if response.status_code == 200:
        response_200 = Server.from_dict(response.json())

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

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

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
) -> Response[Problem | Server]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    body: PatchServer,
) -> Response[Problem | Server]:
    """Drain a replica, put it back, or weigh it

     `draining` gives it no new requests; those that run may end. `ready` puts it back into rotation.
    `weight` is its share under `--policy weighted`.

    Args:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        body (PatchServer): `draining` takes the replica out of rotation; `ready` puts it back.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Server]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    body: PatchServer,
) -> Problem | Server | None:
    """Drain a replica, put it back, or weigh it

     `draining` gives it no new requests; those that run may end. `ready` puts it back into rotation.
    `weight` is its share under `--policy weighted`.

    Args:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        body (PatchServer): `draining` takes the replica out of rotation; `ready` puts it back.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Server
    """

    return sync_detailed(
        id=id,
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    body: PatchServer,
) -> Response[Problem | Server]:
    """Drain a replica, put it back, or weigh it

     `draining` gives it no new requests; those that run may end. `ready` puts it back into rotation.
    `weight` is its share under `--policy weighted`.

    Args:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        body (PatchServer): `draining` takes the replica out of rotation; `ready` puts it back.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Server]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    body: PatchServer,
) -> Problem | Server | None:
    """Drain a replica, put it back, or weigh it

     `draining` gives it no new requests; those that run may end. `ready` puts it back into rotation.
    `weight` is its share under `--policy weighted`.

    Args:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        body (PatchServer): `draining` takes the replica out of rotation; `ready` puts it back.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Server
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            body=body,
        )
    ).parsed
