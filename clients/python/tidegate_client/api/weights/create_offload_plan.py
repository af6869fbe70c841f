from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.offload_plan import OffloadPlan
from ...models.offload_plan_request import OffloadPlanRequest
from ...models.problem import Problem
from ...types import Response


def _get_kwargs(
    *,
    body: OffloadPlanRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/offload-plans",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> OffloadPlan | Problem | None:
    if response.status_code == 200:
        response_200 = OffloadPlan.from_dict(response.json())

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
) -> Response[OffloadPlan | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: OffloadPlanRequest,
) -> Response[OffloadPlan | Problem]:
    """Plan an offload

     Resolves a DeepSpeed configuration for a model that only generates, as TRL's `prepare_deepspeed`
    does: a stage other than 3 becomes 0, the hidden-size dependent keys are set, weights go to the cpu
    on demand. The answer has TRL 0.15's exact result and the corrected one, says why they differ, and
    places the model's groups of weights on device, cpu and disk. Nothing is loaded or changed; `PUT
    /api/models/{id}/residency` applies it.

    Args:
        body (OffloadPlanRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OffloadPlan | Problem]
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
    body: OffloadPlanRequest,
) -> OffloadPlan | Problem | None:
    """Plan an offload

     Resolves a DeepSpeed configuration for a model that only generates, as TRL's `prepare_deepspeed`
    does: a stage other than 3 becomes 0, the hidden-size dependent keys are set, weights go to the cpu
    on demand. The answer has TRL 0.15's exact result and the corrected one, says why they differ, and
    places the model's groups of weights on device, cpu and disk. Nothing is loaded or changed; `PUT
    /api/models/{id}/residency` applies it.

    Args:
        body (OffloadPlanRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OffloadPlan | Problem
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: OffloadPlanRequest,
) -> Response[OffloadPlan | Problem]:
    """Plan an offload

     Resolves a DeepSpeed configuration for a model that only generates, as TRL's `prepare_deepspeed`
    does: a stage other than 3 becomes 0, the hidden-size dependent keys are set, weights go to the cpu
    on demand. The answer has TRL 0.15's exact result and the corrected one, says why they differ, and
    places the model's groups of weights on device, cpu and disk. Nothing is loaded or changed; `PUT
    /api/models/{id}/residency` applies it.

    Args:
        body (OffloadPlanRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[OffloadPlan | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: OffloadPlanRequest,
) -> OffloadPlan | Problem | None:
    """Plan an offload

     Resolves a DeepSpeed configuration for a model that only generates, as TRL's `prepare_deepspeed`
    does: a stage other than 3 becomes 0, the hidden-size dependent keys are set, weights go to the cpu
    on demand. The answer has TRL 0.15's exact result and the corrected one, says why they differ, and
    places the model's groups of weights on device, cpu and disk. Nothing is loaded or changed; `PUT
    /api/models/{id}/residency` applies it.

    Args:
        body (OffloadPlanRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        OffloadPlan | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
