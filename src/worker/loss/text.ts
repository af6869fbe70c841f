/**
 * The text on which `tidegate doctor --model` compares a quantised model with itself in float32: prose, a dialogue, code,
 * numbers and lists, so that common and rare tokens both count. Changing it changes every figure in the docs.
 */
export const LOSS_TEXT = `The harbour wakes before the town does. At half past four the first boats come in past the breakwater, their lamps
still burning, and the gulls that slept on the roofs of the market begin to argue about fish that nobody has landed yet. A
woman in a yellow coat throws a rope; a boy catches it, misses the ring, and tries again. By six o'clock the ice has been
shovelled, the crates are stacked by weight, and the auction starts with a sentence that has not changed in eighty years.

Tides are caused by gravity. The Moon pulls the water on the near side of the Earth more strongly than the Earth itself, and
the Earth more strongly than the water on the far side, so that two bulges form. As the Earth turns, a coast passes through
both of them every day, which is why most places have two high tides about twelve hours and twenty-five minutes apart. When
Sun, Moon and Earth stand in one line, the two pulls add up, and the tide is called a spring tide; at right angles they work
against each other, and the difference between high and low water is smallest.

Question: What is the capital of France, and which river flows through it?
Answer: The capital of France is Paris. It lies on the Seine.
Question: A train leaves at 9:40 and arrives at 11:05. How long is the journey?
Answer: One hour and twenty-five minutes, because from 9:40 to 10:40 is one hour, and from 10:40 to 11:05 is 25 minutes.

def moving_average(values, width):
    """Mean of each run of \`width\` values."""
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    total = sum(values[:width])
    means = [total / width]
    for left, right in zip(values, values[width:]):
        total += right - left
        means.append(total / width)
    return means

To make bread for two days you need 500 g of flour, 350 ml of water, 10 g of salt and 3 g of dry yeast. Mix the flour with
the water and let it rest for half an hour. Add yeast and salt, fold the dough four times in two hours, shape it, and leave it
in the refrigerator overnight. Bake it at 240 degrees, the first twenty minutes under a lid.
`;
