from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.model_residency import ModelResidency
from ...models.plan_directive import PlanDirective
from ...models.problem import Problem
from ...models.residency_directive import ResidencyDirective
from ...types import Response


def _get_kwargs(
    id: str,
    *,
    body: PlanDirective | ResidencyDirective,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "put",
        "url": "/api/models/{id}/residency".format(
            id=quote(str(id), safe=""),
        ),
    }

    if isinstance(body, ResidencyDirective):
        _kwargs["json"] = body.to_dict()
    else:
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ModelResidency | Problem | None:
    if response.status_code == 200:
        response_200 = ModelResidency.from_dict(response.json())

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

    if response.status_code == 424:
        response_424 = Problem.from_dict(response.json())

        return response_424

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
) -> Response[ModelResidency | Problem]:
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
    body: PlanDirective | ResidencyDirective,
) -> Response[ModelResidency | Problem]:
    """Move the weights of a model

     Applies a DeepSpeed configuration (`deepspeed_config`, `offload_to_cpu`, `compat`, as for
    `/api/offload-plans`; the model's own directory is used) or a directive in bytes. Weights move
    between two steps; running generations go on with the same numbers. On all replicas of the model or
    on none. What is left out has its default: `{}` puts everything into memory. A restarted worker gets
    the same again.

    Args:
        id (str):  Example: tide-nano.
        body (PlanDirective | ResidencyDirective):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ModelResidency | Problem]
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
    body: PlanDirective | ResidencyDirective,
) -> ModelResidency | Problem | None:
    """Move the weights of a model

     Applies a DeepSpeed configuration (`deepspeed_config`, `offload_to_cpu`, `compat`, as for
    `/api/offload-plans`; the model's own directory is used) or a directive in bytes. Weights move
    between two steps; running generations go on with the same numbers. On all replicas of the model or
    on none. What is left out has its default: `{}` puts everything into memory. A restarted worker gets
    the same again.

    Args:
        id (str):  Example: tide-nano.
        body (PlanDirective | ResidencyDirective):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ModelResidency | Problem
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
    body: PlanDirective | ResidencyDirective,
) -> Response[ModelResidency | Problem]:
    """Move the weights of a model

     Applies a DeepSpeed configuration (`deepspeed_config`, `offload_to_cpu`, `compat`, as for
    `/api/offload-plans`; the model's own directory is used) or a directive in bytes. Weights move
    between two steps; running generations go on with the same numbers. On all replicas of the model or
    on none. What is left out has its default: `{}` puts everything into memory. A restarted worker gets
    the same again.

    Args:
        id (str):  Example: tide-nano.
        body (PlanDirective | ResidencyDirective):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ModelResidency | Problem]
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
    body: PlanDirective | ResidencyDirective,
) -> ModelResidency | Problem | None:
    """Move the weights of a model

     Applies a DeepSpeed configuration (`deepspeed_config`, `offload_to_cpu`, `compat`, as for
    `/api/offload-plans`; the model's own directory is used) or a directive in bytes. Weights move
    between two steps; running generations go on with the same numbers. On all replicas of the model or
    on none. What is left out has its default: `{}` puts everything into memory. A restarted worker gets
    the same again.

    Args:
        id (str):  Example: tide-nano.
        body (PlanDirective | ResidencyDirective):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ModelResidency | Problem
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            body=body,
        )
    ).parsed
