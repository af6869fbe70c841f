"""The tokenizer: byte-level BPE over 512 tokens, digits one by one, ChatML.

All 256 bytes are in the vocabulary, so any UTF-8 text survives encode and decode. The merges come from the
few lines below: what the model says, and the words a chat with a gateway is likely to hold.
"""
import data
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCAB_SIZE = 512
CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ROLES = ["system", "user", "assistant", "tool"]

CORPUS = """
What is the sum of the two numbers? What's the difference of the two numbers? What is one plus two? What is two minus one?
Calculate the answer. The answer is the number at the end. Answer the question. Be brief. Solve the problem and end with the answer.
You are a helpful assistant. You are a careful assistant. You are a calculator. You answer questions about numbers.
Think before you answer. Let us think step by step, then write the answer with a reason.
The gateway takes a request from the trainer and hands it to a server. The server answers with tokens and their log probabilities.
A trainer sends new weights, every server loads the same version, and the next request is answered with the new weights.
A student reads a question and writes an answer. A teacher knows the answer and explains how one gets there.
Hello, how are you? Please tell me more about this. Thank you, that was very good. Yes, it is right. No, that is wrong.
def add(a, b): return a + b
{"name": "value", "type": "object", "content": "text", "role": "user", "ok": true, "nothing": null}
one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty ninety hundred
the and that have for not with you this but his from they say her she will would there their what about which when make can like
time just him know take people into year your good some could them see other than then now look only come over think also
a + b = c. a - b = c. 1 + 2 = 3. 9 - 4 = 5. plus minus equals less more sum difference
"""


def build():
    """Train the tokenizer; the result is the same on every run."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    wording = [data.question((7, "+", 5)), data.question((7, "-", 5))]
    tokenizer.train_from_iterator(
        wording * 8 + ROLES * 40 + [line for line in CORPUS.split("\n") if line] * 4,
        trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE,
            special_tokens=[PAD, START, END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    assert tokenizer.get_vocab_size() == VOCAB_SIZE, tokenizer.get_vocab_size()
    return tokenizer


def chat(messages, generate=True):
    """The text that CHATML renders for [(role, content), ...]."""
    text = "".join(f"{START}{role}\n{content}{END}\n" for role, content in messages)
    return text + f"{START}assistant\n" if generate else text


def encode_conversation(tokenizer, messages):
    """(ids, mask): mask is 1 on what the assistant says, its <|im_end|> included, and 0 elsewhere."""
    ids, mask = [], []
    for role, content in messages:
        head = tokenizer.encode(f"{START}{role}\n").ids
        body = tokenizer.encode(f"{content}{END}").ids
        ids += head + body + tokenizer.encode("\n").ids
        mask += [0] * len(head) + [int(role == "assistant")] * len(body) + [0]
    return ids, mask
