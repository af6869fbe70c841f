// The trainer's side, line by line as Python users know it: each line of Python stands above its TypeScript.
import {
  connectModel,
  createAccelerator,
  openCheckpoint,
  prepareDeepspeed,
  saveCheckpoint,
  setupChatFormat,
  unwrapModelForGeneration,
  VLLMClient,
  wrapAsList,
} from "../src/index.ts";

const { hostname, port } = new URL(process.env.TIDEGATE_URL ?? "http://127.0.0.1:8000");
const ask = (question: string) => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;

// client = VLLMClient(host, port, server_type="http")
const client = new VLLMClient({ host: hostname, port: Number(port), serverType: "http" });
// client.check_server(total_timeout=120)
await client.checkServer({ totalTimeout: 120 });

// prompts = wrap_as_list(ask("What is 17 + 25?"), another=ask("What is 64 + 18?"))
const prompts = wrapAsList([ask("What is 17 + 25?")], { another: ask("What is 64 + 18?") });
// params = {"temperature": 0, "max_tokens": 24}
const params = { temperature: 0, max_tokens: 24 };
// outputs = client.generate(prompts, sampling_params=params)
console.log("before:", await client.generate(prompts, params));

// model = AutoModelForCausalLM.from_pretrained(path); tokenizer = AutoTokenizer.from_pretrained(path)
const { model, tokenizer } = await openCheckpoint("models/tide-nano/trained");
// client.init_communicator(host, port, world_size)
const { transport, worldSize } = await client.initCommunicator({ host: hostname, port: 51216 });
// client.update_model_params(model)
const { version } = await client.updateModelParams(model);
console.log(`version ${version} over ${transport}, world size ${worldSize}:`, await client.generate(prompts, params));

// tokenizer.chat_template = None
// model, tokenizer = setup_chat_format(model, tokenizer, format="chatml", resize_to_multiple_of=64)
const untemplated = { ...tokenizer, chatTemplate: null };
const [chatModel, chatTokenizer] = setupChatFormat(model, untemplated, { format: "chatml", resizeToMultipleOf: 64 });
// model.save_pretrained(path); tokenizer.save_pretrained(path)
const path = `.tidegate/chatml-${crypto.randomUUID()}`;
const { directory } = await saveCheckpoint(chatModel, chatTokenizer, path);
console.log("chat format:", directory);

// accelerator = Accelerator(deepspeed_plugin=DeepSpeedPlugin(hf_ds_config=config))
const device = { device: "cpu" };
const accelerator = createAccelerator({
  deepspeedConfig: { zero_optimization: { stage: 3, offload_param: device, offload_optimizer: device } },
});
// reference = prepare_deepspeed(model, accelerator, offload_to_cpu=True)
const reference = await prepareDeepspeed(await connectModel(client), accelerator, { offloadToCpu: true });
console.log("offloaded:", reference.plan.bytes);

// with unwrap_model_for_generation(reference, accelerator) as unwrapped:
{
  await using unwrapped = await unwrapModelForGeneration(reference, accelerator);
  //     outputs = unwrapped.generate(prompts, params)
  console.log("gathered:", await unwrapped.generate(prompts, params));
}

// client.close_communicator()
await client.closeCommunicator();
