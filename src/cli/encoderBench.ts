import type { EncoderPass } from '../clip/encoderPass.ts';
import { encoderPass } from '../clip/masks.ts';
import { expectedTensors } from '../clip/weights.ts';
import type { Encoder } from '../engine/encoder.ts';
import { groupSteps, meanProfile, type Profile, type ProfiledGroup, type RowSpan, stage } from '../engine/profile.ts';
import { megabytes } from '../files/byteCount.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';

const want = { hiddenStates: [], attentions: false };

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const percent = (share: number | null) => (share === null ? null : `${(100 * share).toFixed(1)} %`);

/** Formats a cell of a table, at the right of `width` characters. */
export const cell = (value: number | string | null, width: number) =>
  (typeof value === 'number' ? value.toFixed(value < 100 ? 2 : 0) : (value ?? '–')).padStart(width);

/** An encoder to time, with the name that tells it apart. */
export interface NamedEncoder {
  readonly name: string;
  readonly encoder: Encoder;
}

let prompts = 0;
/** Makes a prompt of 20 tokens that begins like no prompt before it, so that none of its rows is cached. */
function newPrompt(): EncoderPass {
  prompts++;
  const ids = [prompts, ...Array.from({ length: 20 }, (_, i) => 320 + i)];
  return encoderPass(
    Uint32Array.from({ length: 77 }, (_, i) => ids[i] ?? eosTokenId),
    'causal',
  );
}

/** Returns the prompt with another last word, of one token. */
const editLastWord = (pass: EncoderPass): EncoderPass => ({
  ...pass,
  inputIds: pass.inputIds.with(20, bosTokenId - 1),
});

/** Milliseconds of some work: by the clock, and of all processors in this process. */
interface Time {
  readonly clock: number;
  readonly processor: number;
}

/** Starts to measure; the function that it returns tells the time since then. */
export function stopwatch(): () => Time {
  const start = performance.now();
  const before = process.cpuUsage();
  return () => {
    const clock = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    return { clock, processor: (user + system) / 1000 };
  };
}

/**
 * Measures the variants in turn, so that other work on the machine slows all of them alike. The first round compiles
 * and does not count.
 */
export async function times(runs: number, measure: () => AsyncGenerator<[name: string, time: Time]>) {
  const found = new Map<string, Time[]>();
  for (let run = 0; run <= runs; run++)
    for await (const [name, time] of measure()) if (run > 0) found.set(name, [...(found.get(name) ?? []), time]);
  return found;
}

/** Prints medians of the times, the shortest, and medians of the ratios of each time to the first of its round. */
export function printRatios(title: string, found: ReadonlyMap<string, readonly Time[]>): void {
  const [base] = found.values();
  const columns = ['ms', 'least', 'ratio', 'CPU ms', 'CPU ratio'].map((column) => cell(column, 10)).join('');
  console.log(`\n${title.padEnd(42)}${columns}`);
  for (const [name, values] of found) {
    const of = (by: keyof Time) => values.map((time) => time[by]);
    const ratio = (by: keyof Time) => median(values.map((time, run) => time[by] / base[run][by]));
    const least = Math.min(...of('clock'));
    const cells = [median(of('clock')), least, ratio('clock'), median(of('processor')), ratio('processor')];
    console.log(`${name.padEnd(42)}${cells.map((value) => cell(value, 10)).join('')}`);
  }
}

export async function benchEncodes(encoders: readonly NamedEncoder[], runs: number): Promise<void> {
  const found = await times(runs, async function* () {
    for (const { name, encoder } of encoders)
      for (const passes of [[newPrompt()], [newPrompt(), newPrompt()]]) {
        const time = stopwatch();
        await encoder.encode(passes, want);
        yield [`${name}, ${passes.length} pass${passes.length > 1 ? 'es' : ''}`, time()];
      }
  });
  printRatios('whole encode', found);
}

export async function benchEdits({ name, encoder }: NamedEncoder, runs: number): Promise<void> {
  let rowsAgain = 0;
  const found = await times(runs, async function* () {
    const prompt = newPrompt();
    let time = stopwatch();
    await encoder.encode([prompt], want);
    yield ['new prompt of 20 tokens', time()];
    const edited = editLastWord(prompt);
    let toEos: Time | undefined;
    time = stopwatch();
    await encoder.encode([edited], want, {
      onRows() {
        toEos = time();
      },
    });
    const whole = time();
    if (!toEos) throw new Error('No rows were ready before the padding.');
    yield ['last word edited, rows up to EOS', toEos];
    yield ['last word edited, with the padding', whole];
    // Weights do not reach the encoder: it gets an equal pass again.
    time = stopwatch();
    const again = await encoder.encode([{ ...edited }], want);
    rowsAgain += again.rows;
    yield ['weights changed', time()];
  });
  printRatios(`edits, ${name}`, found);
  console.log(`Rows computed after a change of weights: ${rowsAgain}.`);
}

/** Bytes of the layers' weights as a file holds them. */
function storedBytes({ config, dtype }: Encoder): number {
  return [...expectedTensors(config)]
    .filter(([name]) => name.includes('.layers.'))
    .reduce((sum, [, shape]) => sum + elementCount(shape) * weightBytes[dtype as WeightDtype], 0);
}

/** Prints what the engine holds beside the token table. */
export function printMemory({ name, encoder }: NamedEncoder): void {
  const { weightBytes: weights, activationBytes } = encoder;
  const stored = storedBytes(encoder);
  const held = weights + activationBytes;
  console.log(
    `Memory, ${name}: ${megabytes(held)} (weights ${megabytes(weights)}, rows ${megabytes(activationBytes)}), ` +
      `${(held / stored).toFixed(3)} × the ${megabytes(stored)} that the layers' weights are stored in.`,
  );
}

export async function benchProfile({ name, encoder }: NamedEncoder, runs: number, rows?: RowSpan): Promise<void> {
  const profiles: Profile[] = [];
  const prompt = newPrompt();
  for (let run = 0; run < runs; run++) profiles.push(await encoder.profile(prompt, rows));
  const { steps, noTimes } = meanProfile(profiles);
  const line = ({ name, kernel, milliseconds, share, gflopsPerSecond, bytes, gigabytesPerSecond }: ProfiledGroup) =>
    name.padEnd(24) +
    cell(kernel === name ? '' : kernel, 16) +
    cell(milliseconds, 10) +
    cell(percent(share), 9) +
    cell(gflopsPerSecond, 10) +
    cell(bytes / 1e6, 9) +
    cell(gigabytesPerSecond, 9);
  const title = rows ? `${name}, rows ${rows.first} to ${rows.end - 1}` : `${name}, 1 pass`;
  const columns = `${cell('ms', 10)}${cell('share', 9)}${cell('GFLOP/s', 10)}${cell('MB', 9)}${cell('GB/s', 9)}`;
  console.log(`\n${title.padEnd(24)}${cell('kernel', 16)}${columns}`);
  for (const group of [...groupSteps(steps, stage), ...groupSteps(steps)]) console.log(line(group));
  if (noTimes !== null) console.log(noTimes);
}
