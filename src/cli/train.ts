import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSafetensors } from '../files/safetensors.ts';
import { hex, sha256 } from '../models/weightsHash.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { clipConfigJson, preprocessorJson, readParameters, writeClipModel } from '../training/clipFile.ts';
import {
  type ClipRun,
  defaultRun,
  type RunSettings,
  type StepNumbers,
  startRun,
  trainStep,
} from '../training/clipRun.ts';
import { clipEmbedder, type Evaluation, type EvaluationSet, evaluate, evaluationSet } from '../training/evaluation.ts';
import { metricRows, modelCard } from '../training/modelCard.ts';
import { type RunProgress, restoreRun, runProgress, writeRunCheckpoint } from '../training/runCheckpoint.ts';
import { pictureSize } from '../world/render.ts';
import { fileSource } from './fileSource.ts';
import { askedToStop, endWhenInterrupted } from './interruption.ts';
import { writeWholeFile } from './wholeFile.ts';

/** An option of a run: the setting's name, its bounds, and what it is. */
const numbers = {
  seed: ['seed', 0, 2 ** 31 - 1, 'one seed gives one file, to the bit'],
  steps: ['steps', 1, 1e6, 'steps of the whole run'],
  batch: ['batch', 2, 1024, 'pairs of a step'],
  'single-steps': ['singleSteps', 0, 1e6, 'first steps, on scenes of one object'],
  'look-steps': ['lookSteps', 0, 1e6, 'next steps, on everything'],
  'pair-steps': ['pairSteps', 0, 1e6, 'next steps, on scenes of two objects in plain words'],
  'first-batch': ['firstBatch', 2, 1024, 'pairs of such a step'],
  'warm-up': ['warmUp', 0, 1e6, 'steps in which the learning rate rises (a twentieth of the steps, 100 at most)'],
  width: ['width', 4, 512, 'text tower: numbers of a row'],
  layers: ['layers', 1, 24, 'text tower'],
  heads: ['heads', 1, 24, 'text tower'],
  'image-width': ['imageWidth', 4, 512, 'image tower: numbers of a row'],
  'image-layers': ['imageLayers', 1, 24, 'image tower'],
  'image-heads': ['imageHeads', 1, 24, 'image tower'],
  patch: ['patch', 4, pictureSize, 'side of a patch in pixels: 4, 5, 8, 10, 20 or 40'],
  'mlp-ratio': ['mlpRatio', 1, 8, 'width inside an MLP, in widths of a row'],
  embedding: ['embedding', 4, 512, 'numbers that a caption and a picture become'],
} as const satisfies Readonly<Record<string, readonly [keyof RunSettings, number, number, string]>>;

const describe = ([name, [setting, , , what]]: readonly [
  string,
  readonly [keyof RunSettings, number, number, string],
]) => `  --${`${name} N`.padEnd(21)}${what}${name === 'warm-up' ? '' : ` (${defaultRun[setting]})`}`;

const usage = `Trains a small CLIP on pictures of coloured shapes, and writes it as files that transformers opens.

  npm run train -- clip --out FOLDER [options]

  --out FOLDER           gets model.safetensors, config.json, preprocessor_config.json, README.md (its card), log.jsonl and
                         checkpoint.safetensors
  --resume               goes on with the checkpoint in the folder, after Ctrl-C say
${Object.entries(numbers).map(describe).join('\n')}
  --learning-rate X      its highest (${defaultRun.learningRate})
  --measure-every N      steps between measurements (100)
  --checkpoint-every N   steps between checkpoints (50)
  --full-table           also writes the model with all of CLIP's ids in its token table, into FOLDER/full: for transformers with
                         CLIP's own tokenizer
`;

/** The person can correct the mistake; the message is one sentence. */
class UsageError extends Error {}

interface Request {
  readonly out: string;
  /** Absent if the checkpoint in `out` says them. */
  readonly settings?: RunSettings;
  readonly measureEvery: number;
  readonly checkpointEvery: number;
  readonly fullTable: boolean;
}

function whole(option: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} is a whole number from ${least} to ${most}, not "${value}".`);
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** Reads what decides the model. Throws UsageError. */
function readSettings(values: Values): RunSettings {
  const given = Object.entries(numbers).flatMap(([option, [setting, least, most]]) => {
    const value = values[option];
    return value === undefined ? [] : [[setting, whole(option, String(value), least, most)] as const];
  });
  const steps = Object.fromEntries(given).steps ?? defaultRun.steps;
  const warmUp = Math.min(100, Math.floor(steps / 20));
  const learningRate = Number(values['learning-rate'] ?? defaultRun.learningRate);
  if (!(learningRate > 0 && learningRate <= 1))
    throw new UsageError(`--learning-rate is a number above 0 and up to 1, not "${values['learning-rate']}".`);
  const settings: RunSettings = { ...defaultRun, warmUp, ...Object.fromEntries(given), learningRate };
  if (settings.warmUp >= settings.steps)
    throw new UsageError(`--warm-up takes ${settings.warmUp} of ${settings.steps} --steps; leave some to learn in.`);
  for (const [width, heads, what] of [
    [settings.width, settings.heads, ''],
    [settings.imageWidth, settings.imageHeads, 'image-'],
  ] as const)
    if (width % (4 * heads))
      throw new UsageError(
        `--${what}width ${width} is no multiple of 4 numbers for each of ${heads} heads; choose ${4 * heads} times something.`,
      );
  if (settings.embedding % 4) throw new UsageError(`--embedding is a multiple of 4, not ${settings.embedding}.`);
  if (pictureSize % settings.patch)
    throw new UsageError(
      `--patch divides the ${pictureSize} pixels of a picture's side, which ${settings.patch} does not.`,
    );
  return settings;
}

/** Null where help is asked for. Throws UsageError. */
function readArguments(args: readonly string[]): Request | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const named = Object.fromEntries([...Object.keys(numbers), 'learning-rate'].map((name) => [name, text]));
  let parsed: { values: Values; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...named,
        out: text,
        resume: flag,
        'measure-every': { ...text, default: '100' },
        'checkpoint-every': { ...text, default: '50' },
        'full-table': flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('.')[0]}; see --help.`);
  }
  const { values, positionals } = parsed;
  if (values.help) return null;
  if (positionals.join(' ') !== 'clip')
    throw new UsageError(`It can train clip, not "${positionals.join(' ')}"; see --help.`);
  if (typeof values.out !== 'string') throw new UsageError('There is no --out; see --help.');
  const fixed = Object.keys(named).find((name) => values[name] !== undefined);
  if (values.resume && fixed)
    throw new UsageError(`With --resume the checkpoint decides --${fixed}; leave it out, or begin in another folder.`);
  return {
    out: values.out,
    settings: values.resume ? undefined : readSettings(values),
    measureEvery: whole('measure-every', String(values['measure-every']), 1, 1e6),
    checkpointEvery: whole('checkpoint-every', String(values['checkpoint-every']), 1, 1e6),
    fullTable: values['full-table'] === true,
  };
}

/** One line of the log. */
interface LogLine extends StepNumbers {
  /** Time that the run took so far. */
  readonly seconds: number;
  /** In lines where the model was measured. */
  readonly seen?: Evaluation;
  readonly heldOut?: Evaluation;
}

const paths = (out: string) => ({
  model: join(out, 'model.safetensors'),
  config: join(out, 'config.json'),
  preprocessor: join(out, 'preprocessor_config.json'),
  card: join(out, 'README.md'),
  log: join(out, 'log.jsonl'),
  checkpoint: join(out, 'checkpoint.safetensors'),
});

const write = (path: string, contents: Uint8Array | string) =>
  writeWholeFile(path, [typeof contents === 'string' ? new TextEncoder().encode(contents) : contents]);

/** A run, with what it has written so far. */
interface Session {
  readonly run: ClipRun;
  readonly log: LogLine[];
  /** Time of the run before this process went on with it. */
  readonly secondsBefore: number;
}

/** Starts a run, or goes on with the one in the folder. Throws UsageError and the errors of its file. */
async function openSession({ out, settings }: Request, tokenizer: Tokenizer): Promise<Session> {
  const { checkpoint, log } = paths(out);
  if (settings) {
    if (existsSync(checkpoint))
      throw new UsageError(`"${out}" holds a run already: go on with --resume, or choose another folder.`);
    await mkdir(out, { recursive: true });
    return { run: await startRun(settings, tokenizer), log: [], secondsBefore: 0 };
  }
  const file = await openSafetensors(fileSource(checkpoint));
  const progress: RunProgress = runProgress(file);
  const run = await startRun(progress.settings, tokenizer);
  await restoreRun(run, file);
  const lines = await readFile(log, 'utf8').catch(() => '');
  const logged = lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogLine);
  return { run, log: logged.filter(({ step }) => step <= run.step), secondsBefore: progress.seconds };
}

/** The scenes that a model is measured on. */
interface Scenes {
  readonly seen: EvaluationSet;
  readonly heldOut: EvaluationSet;
}

function measure({ model, rows, settings }: ClipRun, { seen, heldOut }: Scenes) {
  const embedder = clipEmbedder(model, rows, settings.batch);
  return { seen: evaluate(embedder, seen), heldOut: evaluate(embedder, heldOut) };
}

/** The metrics of seen scenes and of those with pairs never trained, side by side. */
function printMetrics(seen: Evaluation, heldOut: Evaluation): void {
  const other = metricRows(heldOut);
  for (const [i, [name, share]] of metricRows(seen).entries())
    console.log(`  ${name.padEnd(52)}seen ${share.toFixed(3)}   never trained ${other[i][1].toFixed(3)}`);
}

function remaining(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return `${Math.round(seconds)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Prints a line that stays, or one that the next line of a terminal takes the place of. `rate`: steps a second. */
function printProgress({ step, loss, temperature }: StepNumbers, steps: number, rate: number, stays: boolean): void {
  const { isTTY } = process.stdout;
  if (isTTY) process.stdout.write('\r\x1b[K');
  const numbers = `loss ${loss.toFixed(4)}, τ ${temperature.toFixed(4)}`;
  const line = `step ${step} of ${steps}: ${numbers}; ${rate.toFixed(2)} steps a second, ${remaining((steps - step) / rate)} to go`;
  if (stays) console.log(line);
  else if (isTTY) process.stdout.write(line);
}

/** Trains to the last step, or until it is asked to stop. Returns the seconds that the whole run has taken. */
async function trainOn(session: Session, scenes: Scenes, request: Request, watch: { readonly asked: boolean }) {
  const { run, log, secondsBefore } = session;
  const { steps } = run.settings;
  const { checkpoint, log: logPath } = paths(request.out);
  const start = performance.now();
  const first = run.step;
  const elapsed = () => (performance.now() - start) / 1000;
  const save = async () => {
    await write(logPath, log.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await write(checkpoint, writeRunCheckpoint(run, secondsBefore + elapsed()));
  };
  while (run.step < steps && !watch.asked) {
    const numbers = trainStep(run);
    const isMeasured = run.step % request.measureEvery === 0 || run.step === steps;
    const metrics = isMeasured ? measure(run, scenes) : undefined;
    const isLogged = isMeasured || run.step % 10 === 0;
    if (isLogged) log.push({ ...numbers, seconds: secondsBefore + elapsed(), ...metrics });
    printProgress(numbers, steps, (run.step - first) / elapsed(), isLogged);
    if (metrics) printMetrics(metrics.seen, metrics.heldOut);
    if (run.step % request.checkpointEvery === 0 || run.step === steps) await save();
    // A signal is heard between steps alone.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (watch.asked) await save();
  return secondsBefore + elapsed();
}

/** Writes the model, reads it again, and writes a card with what is measured on the file's own numbers. */
async function writeModel(run: ClipRun, scenes: Scenes, seconds: number, { out, fullTable }: Request): Promise<void> {
  const { model, tokenIds, rows, settings } = run;
  const at = paths(out);
  const json = (object: object) => `${JSON.stringify(object, null, 2)}\n`;
  const bytes = writeClipModel(model, tokenIds, { dtype: 'F16' });
  await write(at.model, bytes);
  await write(at.config, json(clipConfigJson(model.config, tokenIds)));
  await write(at.preprocessor, json(preprocessorJson(model.config)));
  if (fullTable) {
    const full = paths(join(out, 'full'));
    await mkdir(join(out, 'full'), { recursive: true });
    await write(full.model, writeClipModel(model, tokenIds, { dtype: 'F16', fullTable: rows }));
    await write(full.config, json(clipConfigJson(model.config)));
    await write(full.preprocessor, json(preprocessorJson(model.config)));
  }
  await readParameters(await openSafetensors(fileSource(at.model)), model.config, model.parameters);
  const metrics = measure(run, scenes);
  const facts = {
    settings,
    seconds,
    ...metrics,
    parameters: model.parameters.values.length,
    machine: `one core of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}, Node ${process.versions.node}`,
    sha256: hex((await sha256(bytes))!),
    bytes: bytes.length,
    words: tokenIds.length,
  };
  await write(at.card, modelCard(facts));
  console.log(`Wrote ${at.model}: ${bytes.length} bytes, SHA-256 ${facts.sha256}`);
  printMetrics(metrics.seen, metrics.heldOut);
}

/** Returns the exit code of `npm run train`. */
export async function main(args: readonly string[]): Promise<number> {
  let endWatch = () => {};
  try {
    const request = readArguments(args);
    if (!request) {
      console.log(usage);
      return 0;
    }
    const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
    const session = await openSession(request, tokenizer);
    const { run } = session;
    console.log(`${run.model.parameters.values.length} parameters, step ${run.step} of ${run.settings.steps}`);
    const scenes = { seen: evaluationSet(tokenizer, 'seen'), heldOut: evaluationSet(tokenizer, 'heldOut') };
    const watch = askedToStop('Stopping after this step; again to stop at once.');
    endWatch = watch.end;
    const seconds = await trainOn(session, scenes, request, watch);
    if (run.step < run.settings.steps) {
      console.error(`Stopped after step ${run.step}: go on with --resume --out ${request.out}`);
      return 130;
    }
    endWatch();
    endWatch = endWhenInterrupted(() => 'Stopped: --resume writes what is missing.');
    await writeModel(run, scenes, seconds, request);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  } finally {
    endWatch();
  }
}
