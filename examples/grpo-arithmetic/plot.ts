/** The log of a run → one SVG: accuracy above, the logprob check below. Draws what the log says and nothing else. */
import type { EvaluationLine, LogLine, StepLine } from "./log.ts";

const WIDTH = 760;
const [LEFT, RIGHT] = [62, 20];
const [TOP, UPPER] = [54, 250];
const [LOWER_TOP, LOWER] = [362, 84];
const HEIGHT = LOWER_TOP + LOWER + 44;
const INNER = WIDTH - LEFT - RIGHT;
const [HELD_OUT, SAMPLED, DELTA, LIMIT] = ["#0b6e99", "#e08e45", "#4a7c59", "#b3413b"];

type Point = readonly [x: number, y: number];

const number = (value: number): string => value.toFixed(1);
const line = (points: readonly Point[], color: string, width: number): string =>
  `<polyline fill="none" stroke="${color}" stroke-width="${width}" stroke-linejoin="round" points="${points.map((point) => point.map(number).join(",")).join(" ")}"/>`;
const text = (x: number, y: number, words: string, extra = ""): string =>
  `<text x="${number(x)}" y="${number(y)}" ${extra}>${words}</text>`;
const rule = (y: number, color = "#e4e4e4", dash = ""): string =>
  `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${number(y)}" y2="${number(y)}" stroke="${color}"${dash}/>`;

/** Share of right answers: 0 to 1 upwards. */
function upper(
  evaluations: readonly EvaluationLine[],
  steps: readonly StepLine[],
  at: (step: number) => number,
): string[] {
  const y = (share: number): number => TOP + UPPER * (1 - share);
  const share = ({ right, of }: EvaluationLine): number => right / of;
  const held = evaluations.map((entry): Point => [at(entry.step), y(share(entry))]);
  const sampled = steps.map(({ weight_version, reward }): Point => [at(weight_version), y(reward)]);
  const ends = [evaluations[0], evaluations.at(-1)].filter((entry) => entry !== undefined);
  return [
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
      rule(y(value)),
      text(LEFT - 8, y(value) + 4, `${100 * value} %`, 'text-anchor="end"'),
    ]),
    line(sampled, SAMPLED, 1.5),
    line(held, HELD_OUT, 2.5),
    ...held.map(([x, top]) => `<circle cx="${number(x)}" cy="${number(top)}" r="3.5" fill="${HELD_OUT}"/>`),
    ...ends.map((entry, index) =>
      text(
        at(entry.step),
        y(share(entry)) - 10,
        `${(100 * share(entry)).toFixed(1)} %`,
        `font-weight="600" fill="${HELD_OUT}" text-anchor="${index === 0 ? "start" : "end"}"`,
      ),
    ),
    text(LEFT, TOP - 14, "right answers on held-out sums, greedy", `fill="${HELD_OUT}" font-weight="600"`),
    text(LEFT + 290, TOP - 14, "among the samples of each step, temperature 1", `fill="${SAMPLED}" font-weight="600"`),
  ];
}

/** |Δ logprob| per step, on a logarithmic axis. */
function lower(steps: readonly StepLine[], at: (step: number) => number): string[] {
  const [least, most] = [-8, -2];
  const y = (value: number): number => {
    const exponent = Math.min(most, Math.max(least, Math.log10(Math.max(value, 1e-12))));
    return LOWER_TOP + (LOWER * (most - exponent)) / (most - least);
  };
  return [
    ...[-8, -6, -4, -2].flatMap((exponent) => [
      rule(y(10 ** exponent)),
      text(LEFT - 8, y(10 ** exponent) + 4, `1e${exponent}`, 'text-anchor="end"'),
    ]),
    rule(y(1e-3), LIMIT, ' stroke-dasharray="5 4"'),
    text(WIDTH - RIGHT, y(1e-3) - 4, "what is accepted: 1e-3", `fill="${LIMIT}" text-anchor="end"`),
    line(
      steps.map(({ weight_version, logprob_delta_mean }): Point => [at(weight_version), y(logprob_delta_mean)]),
      DELTA,
      2,
    ),
    text(
      LEFT,
      LOWER_TOP - 14,
      "mean |logprob of the gateway − logprob of the trainer|, all tokens of the step",
      `fill="${DELTA}" font-weight="600"`,
    ),
    text(WIDTH - RIGHT, LOWER_TOP + LOWER + 32, "weight version (one per step)", 'text-anchor="end"'),
  ];
}

/** @param log JSON lines of one run. Throws when it holds no evaluation. */
export function toPlot(log: string): string {
  const lines = log
    .trim()
    .split("\n")
    .map((one) => JSON.parse(one) as LogLine);
  const evaluations = lines.filter((entry) => entry.kind === "evaluation");
  const steps = lines.filter((entry) => entry.kind === "step");
  const last = Math.max(1, ...evaluations.map(({ step }) => step));
  const at = (step: number): number => LEFT + (INNER * step) / last;
  const every = last <= 10 ? 1 : last <= 50 ? 5 : 10 * Math.ceil(last / 100);
  const ticks = Array.from({ length: Math.floor(last / every) + 1 }, (_, index) => index * every);
  const title = `GRPO on sums through the gateway: ${last} steps`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#333" role="img" aria-label="${title}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 20, title, 'font-size="15" font-weight="600" fill="#111"'),
    ...upper(evaluations, steps, at),
    ...lower(steps, at),
    ...ticks.map((tick) => text(at(tick), LOWER_TOP + LOWER + 16, String(tick), 'text-anchor="middle"')),
    "</svg>",
  ].join("\n")}\n`;
}
