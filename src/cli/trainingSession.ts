/** A training run on the command line, whatever is trained: its options, its folder, its log, and going on with it. */

import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSafetensors } from '../files/safetensors.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { fileSource } from './fileSource.ts';
import { askedToStop, endWhenInterrupted } from './interruption.ts';
import { writeWholeFile } from './wholeFile.ts';

/** The person can correct the mistake; the message is one sentence. */
export class UsageError extends Error {}

/** Settings that every run has. */
export interface CommonSettings {
  readonly steps: number;
  readonly warmUp: number;
  readonly learningRate: number;
}

/** Options of a run that are whole numbers: the setting's name, its bounds, and what it is. */
export type NumberOptions<Settings> = Readonly<Record<string, readonly [keyof Settings, number, number, string]>>;

/** Lines of help, one an option, with the defaults. */
export const optionHelp = <Settings extends object>(options: NumberOptions<Settings>, defaults: Settings): string =>
  Object.entries(options)
    .map(([name, [setting, , , what]]) => {
      const value = name === 'warm-up' ? '' : ` (${defaults[setting]})`;
      return `  --${`${name} N`.padEnd(21)}${what}${value}`;
    })
    .join('\n');

export type Values = Readonly<Record<string, string | boolean | undefined>>;

/** A whole number of an option. Throws UsageError. */
export function whole(option: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} is a whole number from ${least} to ${most}, not "${value}".`);
}

/** A learning rate of an option. Throws UsageError. */
export function readRate(values: Values, option: string, otherwise: number): number {
  const rate = Number(values[option] ?? otherwise);
  if (rate > 0 && rate <= 1) return rate;
  throw new UsageError(`--${option} is a number above 0 and up to 1, not "${values[option]}".`);
}

/** Reads the settings that options give; the warm-up follows from the steps unless it is given. Throws UsageError. */
export function readSettings<Settings extends CommonSettings>(
  values: Values,
  options: NumberOptions<Settings>,
  defaults: Settings,
): Settings {
  const given = Object.entries(options).flatMap(([option, [setting, least, most]]) => {
    const value = values[option];
    return value === undefined ? [] : [[setting, whole(option, String(value), least, most)] as const];
  });
  const steps = Object.fromEntries(given).steps ?? defaults.steps;
  const warmUp = Math.min(100, Math.floor(steps / 20));
  const learningRate = readRate(values, 'learning-rate', defaults.learningRate);
  const settings: Settings = { ...defaults, warmUp, ...Object.fromEntries(given), learningRate };
  if (settings.warmUp >= settings.steps)
    throw new UsageError(`--warm-up takes ${settings.warmUp} of ${settings.steps} --steps; leave some to learn in.`);
  return settings;
}

/** The options that every run has besides its settings. */
export interface SessionRequest {
  readonly out: string;
  readonly resume: boolean;
  readonly measureEvery: number;
  readonly checkpointEvery: number;
}

/** Reads arguments; `own` are the options that are no settings. Null where help is asked for. Throws UsageError. */
export function readArguments(
  args: readonly string[],
  settingNames: readonly string[],
  own: Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>,
  measureEvery: number,
): { readonly request: SessionRequest; readonly values: Values } | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const named = Object.fromEntries([...settingNames, 'learning-rate'].map((name) => [name, text]));
  let values: Values;
  try {
    const common = { out: text, resume: flag, 'measure-every': text, 'checkpoint-every': text, help: flag };
    values = parseArgs({ args: [...args], options: { ...named, ...common, ...own } }).values as Values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('.')[0]}; see --help.`);
  }
  if (values.help) return null;
  if (typeof values.out !== 'string') throw new UsageError('There is no --out; see --help.');
  const fixed = Object.keys(named).find((name) => values[name] !== undefined);
  if (values.resume && fixed)
    throw new UsageError(`With --resume the checkpoint decides --${fixed}; leave it out, or begin in another folder.`);
  const every = (option: string, otherwise: number) => whole(option, String(values[option] ?? otherwise), 1, 1e6);
  return {
    values,
    request: {
      out: values.out,
      resume: values.resume === true,
      measureEvery: every('measure-every', measureEvery),
      checkpointEvery: every('checkpoint-every', 50),
    },
  };
}

/** The files of a run. */
export const paths = (out: string) => ({
  model: join(out, 'model.safetensors'),
  config: join(out, 'config.json'),
  preprocessor: join(out, 'preprocessor_config.json'),
  card: join(out, 'README.md'),
  judged: join(out, 'judged.json'),
  log: join(out, 'log.jsonl'),
  checkpoint: join(out, 'checkpoint.safetensors'),
});

export const write = (path: string, contents: Uint8Array | string) =>
  writeWholeFile(path, [typeof contents === 'string' ? new TextEncoder().encode(contents) : contents]);

/** An object as the text of a file. */
export const jsonText = (object: object) => `${JSON.stringify(object, null, 2)}\n`;

/** The machine, for a model's card. */
export const machineName = (threads = 1) =>
  `${threads === 1 ? 'one thread' : `${threads} threads`} of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}, Node ${process.versions.node}`;

/** The checkpoint of the run that is to be gone on with; null for a new run, whose folder is made. Throws UsageError. */
export async function openFolder({ out, resume }: SessionRequest): Promise<TensorFile | null> {
  const { checkpoint } = paths(out);
  if (resume) return openSafetensors(fileSource(checkpoint));
  if (existsSync(checkpoint))
    throw new UsageError(`"${out}" holds a run already: go on with --resume, or choose another folder.`);
  await mkdir(out, { recursive: true });
  return null;
}

/** Numbers of a step that every run has. */
interface StepNumbers {
  /** Counts from 1. */
  readonly step: number;
}

/** A run in its folder, and how each of its parts is done. `Metrics` go into the log beside a step's numbers. */
export interface Session<Numbers extends StepNumbers, Metrics extends object> {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps that are done. */
  done(): number;
  train(): Numbers | Promise<Numbers>;
  /** "loss 0.1234, τ 0.0700" */
  describe(numbers: Numbers): string;
  measure(): Metrics;
  printMetrics(metrics: Metrics): void;
  /** Bytes of a checkpoint. `seconds`: time that the run took so far. */
  checkpoint(seconds: number): Uint8Array;
  /** Writes the model and its card. */
  finish(seconds: number): Promise<void>;
  /** Time of the run before this process went on with it. */
  readonly secondsBefore: number;
}

export function remaining(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return `${Math.round(seconds)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Prints a line that stays, or one that the next line of a terminal takes the place of. `rate`: steps a second. */
function printProgress(step: number, steps: number, numbers: string, rate: number, stays: boolean): void {
  const { isTTY } = process.stdout;
  if (isTTY) process.stdout.write('\r\x1b[K');
  const line = `step ${step} of ${steps}: ${numbers}; ${rate.toFixed(2)} steps a second, ${remaining((steps - step) / rate)} to go`;
  if (stays) console.log(line);
  else if (isTTY) process.stdout.write(line);
}

/** The lines of a log up to a step. */
async function loggedUpTo(path: string, step: number): Promise<StepNumbers[]> {
  const lines = await readFile(path, 'utf8').catch(() => '');
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StepNumbers)
    .filter((line) => line.step <= step);
}

/** Trains to the last step, or until it is asked to stop. Returns the seconds that the whole run has taken. */
async function trainOn<Numbers extends StepNumbers, Metrics extends object>(
  session: Session<Numbers, Metrics>,
  request: SessionRequest,
  watch: { readonly asked: boolean },
): Promise<number> {
  const { steps, secondsBefore } = session;
  const { checkpoint, log: logPath } = paths(request.out);
  const first = session.done();
  const log: object[] = first > 0 ? await loggedUpTo(logPath, first) : [];
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const save = async () => {
    await write(logPath, log.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await write(checkpoint, session.checkpoint(secondsBefore + elapsed()));
  };
  while (session.done() < steps && !watch.asked) {
    const numbers = await session.train();
    const { step } = numbers;
    const isMeasured = step % request.measureEvery === 0 || step === steps;
    const metrics = isMeasured ? session.measure() : undefined;
    const isLogged = isMeasured || step % 10 === 0;
    if (isLogged) log.push({ ...numbers, seconds: secondsBefore + elapsed(), ...metrics });
    printProgress(step, steps, session.describe(numbers), (step - first) / elapsed(), isLogged);
    if (metrics) session.printMetrics(metrics);
    if (step % request.checkpointEvery === 0 || step === steps) await save();
    // A signal is heard between steps alone.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (watch.asked) await save();
  return secondsBefore + elapsed();
}

/** Runs a session to its end, or until Ctrl-C. Returns the exit code. */
export async function runSession<Numbers extends StepNumbers, Metrics extends object>(
  session: Session<Numbers, Metrics>,
  request: SessionRequest,
): Promise<number> {
  const watch = askedToStop('Stopping after this step; again to stop at once.');
  let endWatch = watch.end;
  try {
    const seconds = await trainOn(session, request, watch);
    if (session.done() < session.steps) {
      console.error(`Stopped after step ${session.done()}: go on with --resume --out ${request.out}`);
      return 130;
    }
    endWatch();
    endWatch = endWhenInterrupted(() => 'Stopped: --resume writes what is missing.');
    await session.finish(seconds);
    return 0;
  } finally {
    endWatch();
  }
}
