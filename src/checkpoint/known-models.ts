/**
 * The causal language models of transformers, by `model_type`, whose vocabulary tensors are known, and the name under
 * which each keeps its token embedding. Source: `MODEL_FOR_CAUSAL_LM_MAPPING_NAMES` of transformers 5.19
 * (models/auto/modeling_auto.py), each built on torch's meta device and asked for `get_input_embeddings()`; beside them the
 * multimodal ones with a language model of these kinds. Data only.
 */

const BY_EMBEDDING: Readonly<Record<string, string>> = {
  embed_tokens:
    "afmoe apertus arcee aria_text axk1 axk2 bamba biogpt bitnet cohere cohere2 cohere2_moe cohere_compass_text cwm deepseek_v2 deepseek_v3 " +
    "deepseek_v32 deepseek_v4 diffllama doge dots1 emu3 ernie4_5 ernie4_5_moe exaone4 exaone_moe falcon_h1 flex_olmo fuyu gemma gemma2 gemma3 " +
    "gemma3_text gemma3n gemma3n_text gemma4 gemma4_text gemma4_unified gemma4_unified_text glm glm4 glm4_moe glm4_moe_lite glm_moe_dsa got_ocr2 " +
    "gpt_oss granite granite_swa granitemoe granitemoe_swa granitemoehybrid granitemoeshared helium hrm_text hunyuan_v1_dense hunyuan_v1_moe hy_v3 " +
    "hy_v4 hyperclovax idefics3 inkling_text internvl jais2 jamba jetmoe kimi_linear laguna lfm2 lfm2_moe llama llama4 llama4_text llava " +
    "llava_next llava_onevision longcat_flash mellum mimo_v2_flash minicpm3 minimax minimax_m2 minimax_m3_vl_text ministral ministral3 mistral " +
    "mistral3 mixtral mllama moshi nanochat nemotron olmo olmo2 olmo3 olmo_hybrid olmoe opt paligemma persimmon phi phi3 phi4_multimodal phimoe " +
    "qwen2 qwen2_5_vl qwen2_moe qwen2_vl qwen3 qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next qwen3_vl qwen3_vl_moe " +
    "qwen4_exp qwen4_exp_text recurrent_gemma seed_oss smollm3 smolvlm solar_open stablelm starcoder2 vaultgemma xglm youtu zamba zamba2 zaya",
  wte: "codegen dbrx gpt-sw3 gpt2 gpt_bigcode gpt_neo gptj mpt",
  word_embeddings: "bloom falcon",
  embed_in: "gpt_neox gpt_neox_japanese",
  tokens_embed: "openai-gpt",
};

/** `model_type` → the last part of its embedding's name before `.weight`. */
export const EMBEDDING_OF: ReadonlyMap<string, string> = new Map(
  Object.entries(BY_EMBEDDING).flatMap(([name, types]) =>
    types.split(" ").map((type): [string, string] => [type, name]),
  ),
);
