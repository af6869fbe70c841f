"""Sampling through the gateway: by TRL's own `VLLMClient` where it is installed, else by the same request with `requests`."""
import requests


def choose(url, wanted):
    """(name, sample). `sample(prompts, n, temperature, seed)` gives one dict per completion, prompt-major."""
    if wanted in ("auto", "trl"):
        try:
            import trl
            from trl.generation.vllm_client import VLLMClient

            # TRL asks for an installed vLLM, although sampling over HTTP needs none of it.
            return f"TRL {trl.__version__}'s VLLMClient", with_trl(VLLMClient(base_url=url, connection_timeout=60))
        except ImportError:
            if wanted == "trl":
                raise
    return "requests", with_requests(url)


def with_trl(client):
    """The client is as it was installed; a hook of its HTTP session reads the weight version, which TRL does not look at."""
    versions = []
    client.session.hooks["response"].append(lambda answer, **_: versions.append(answer.headers.get("x-weight-version")))

    def sample(prompts, n, temperature, seed, max_tokens=32):
        versions.clear()
        out = client.generate(prompts, n=n, temperature=temperature, max_tokens=max_tokens, logprobs=0, generation_kwargs={"seed": seed})
        (version,) = versions
        return [
            {"prompt": out["prompt_ids"][index // n], "ids": ids, "logprobs": [row[0] for row in out["logprobs"][index]], "version": version}
            for index, ids in enumerate(out["completion_ids"])
        ]

    return sample


def with_requests(url):
    session = requests.Session()
    model = session.get(f"{url}/v1/models", timeout=60).json()["data"][0]["id"]

    def sample(prompts, n, temperature, seed, max_tokens=32):
        body = {"model": model, "prompt": prompts, "n": n, "temperature": temperature, "seed": seed, "max_tokens": max_tokens, "logprobs": 0, "return_token_ids": True}
        answer = session.post(f"{url}/v1/completions", json=body, timeout=600)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} from {url}: {answer.text}")
        version = answer.headers["x-weight-version"]
        return [
            {"prompt": c["prompt_token_ids"], "ids": c["token_ids"], "logprobs": c["logprobs"]["token_logprobs"], "version": version}
            for c in answer.json()["choices"]
        ]

    return sample
