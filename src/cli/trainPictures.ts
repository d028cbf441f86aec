import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { compileKernels } from '../cpu/kernels.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { hex, sha256, weightsHash } from '../models/weightsHash.ts';
import { denoiserConfigJson, readDenoiser, writeDenoiser } from '../pictures/denoiserFile.ts';
import { usualDrawing } from '../pictures/drawing.ts';
import { pictureCard, pictureMetricRows } from '../pictures/pictureCard.ts';
import {
  type DrawingOptions,
  evaluatePictures,
  type PictureEvaluation,
  type PictureSet,
  pictureSet,
} from '../pictures/pictureEvaluation.ts';
import {
  defaultPictureRun,
  type PictureRun,
  type PictureSettings,
  type PictureStepNumbers,
  partPictures,
  pictureCheckpoint,
  pictureStep,
  startPictureRun,
  trainedParameters,
  withTrained,
} from '../pictures/pictureRun.ts';
import { createPromptReader, type PromptReader } from '../pictures/promptReader.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { restoreRun, runProgress, writeRunCheckpoint } from '../training/runCheckpoint.ts';
import { fileSource } from './fileSource.ts';
import { startPartsThreads } from './partsThreads.ts';
import {
  jsonText,
  machineName,
  type NumberOptions,
  openFolder,
  optionHelp,
  paths,
  readArguments,
  readRate,
  readSettings,
  runSession,
  type Session,
  UsageError,
  type Values,
  whole,
  write,
} from './trainingSession.ts';

const numbers = {
  seed: ['seed', 0, 2 ** 31 - 1, 'one seed gives one file, to the bit'],
  steps: ['steps', 1, 1e6, 'steps of the whole run'],
  batch: ['batch', 2, 256, 'pictures of a step'],
  'bold-steps': ['boldSteps', 0, 1e6, 'first steps, on large filled objects in plain words'],
  'blend-steps': ['blendSteps', 0, 1e6, 'next steps, in which ever more scenes are of any kind; all others are'],
  'again-steps': ['againSteps', 0, 1e6, 'steps of the second part, which begins from what a file of the first holds'],
  'point-steps': [
    'pointSteps',
    0,
    1e6,
    'last steps, of the third part, in which words learn to point at their objects',
  ],
  repeats: ['repeats', 1, 16, 'steps that a scene takes part in, each time with other noise'],
  'warm-up': ['warmUp', 0, 1e6, 'steps in which the learning rate rises (a twentieth of the steps, 100 at most)'],
  width0: ['width0', 32, 512, 'numbers of a row of the upper level: squares of 2 × 2 pixels'],
  down0: ['down0', 0, 8, 'blocks there on the way down'],
  up0: ['up0', 0, 8, 'blocks there on the way up'],
  width1: ['width1', 32, 512, 'the same of the middle level'],
  down1: ['down1', 0, 8, 'blocks there on the way down'],
  up1: ['up1', 0, 8, 'blocks there on the way up'],
  self1: ['self1', 0, 1, '1 where blocks there look at their own picture'],
  width2: ['width2', 32, 512, 'the same of the lower level'],
  blocks2: ['blocks2', 1, 8, 'blocks there'],
  mlp: ['mlp', 0, 8, 'width inside the MLPs of the middle and the lower level, in widths of a row; 0 for none'],
} as const satisfies NumberOptions<PictureSettings>;

/** The text encoder that comes with the page. */
const shippedClip = 'public/small-clip';

export const picturesUsage = `Trains a denoiser that makes pictures of coloured shapes from the rows of a small CLIP, which stays as it is.

  npm run train -- pictures --out FOLDER [options]

  --out FOLDER           gets model.safetensors, config.json, README.md (its card), log.jsonl and checkpoint.safetensors
  --clip FOLDER          has the model.safetensors of the CLIP (${shippedClip})
  --resume               goes on with the checkpoint in the folder, after Ctrl-C say
${optionHelp<PictureSettings>(numbers, defaultPictureRun)}
  --threads N            threads that share a step (one a core); the bits are the same with any number
  --learning-rate X      its highest (${defaultPictureRun.learningRate})
  --again-rate X         its highest in the steps --again-steps (${defaultPictureRun.againRate})
  --point-rate X         its highest in the steps --point-steps (${defaultPictureRun.pointRate})
  --grounding X          weight of pointing's loss there, of each layer (${defaultPictureRun.grounding})
  --point-share X        share of what these steps came to; the rest is what they began from (${defaultPictureRun.pointShare})
  --measure-every N      steps between measurements (500)
  --measure-captions N   captions of each kind that a measurement draws (24)
  --card-captions N      captions of each kind that the card is measured on (256)
  --checkpoint-every N   steps between checkpoints (50)
`;

/** Pictures on the way are drawn in fewer steps than those of the card. */
const wayDrawing: DrawingOptions = { ...usualDrawing, steps: 10 };

/** Reads what decides the model. Throws UsageError. */
function readPictureSettings(values: Values): PictureSettings {
  const settings: PictureSettings = {
    ...readSettings<PictureSettings>(values, numbers, defaultPictureRun),
    againRate: readRate(values, 'again-rate', defaultPictureRun.againRate),
    pointRate: readRate(values, 'point-rate', defaultPictureRun.pointRate),
    grounding: readRate(values, 'grounding', defaultPictureRun.grounding),
    pointShare: readRate(values, 'point-share', defaultPictureRun.pointShare),
  };
  const { steps, againSteps, pointSteps } = settings;
  if (againSteps + pointSteps >= steps)
    throw new UsageError(
      `--again-steps and --point-steps take ${againSteps + pointSteps} of ${steps} --steps; leave some to begin with.`,
    );
  if (settings.batch % settings.repeats)
    throw new UsageError(
      `--batch ${settings.batch} is no multiple of --repeats ${settings.repeats}: each step draws as many scenes anew as it repeats.`,
    );
  if (settings.batch % partPictures)
    throw new UsageError(`--batch is a multiple of ${partPictures}, not ${settings.batch}.`);
  if (settings.width0 % 8) throw new UsageError(`--width0 is a multiple of 8, not ${settings.width0}.`);
  for (const name of ['width1', 'width2'] as const)
    if (settings[name] % 32)
      throw new UsageError(`--${name} is a multiple of 32, the numbers of a head, not ${settings[name]}.`);
  return settings;
}

/** The text encoder and its hash, which is the same whatever else is in its file. */
async function openClip(folder: string, room: number) {
  const checkpoint = await openCheckpoint(fileSource(join(folder, 'model.safetensors')));
  const compiled = await compileKernels(false);
  const reader = await createPromptReader(compiled, checkpoint, room);
  return { reader, clipSha256: (await weightsHash(checkpoint))!, compiled };
}

/** Seen scenes, and those with pairs never trained. */
interface Metrics {
  readonly seen: PictureEvaluation;
  readonly heldOut: PictureEvaluation;
}

type Sets = Readonly<Record<keyof Metrics, PictureSet>>;

const drawSets = (tokenizer: Tokenizer, reader: PromptReader, captions: number): Sets => ({
  seen: pictureSet(tokenizer, reader, 'seen', captions),
  heldOut: pictureSet(tokenizer, reader, 'heldOut', captions),
});

const measure = ({ model, emptyRows }: PictureRun, { seen, heldOut }: Sets, drawing: DrawingOptions): Metrics => ({
  seen: evaluatePictures(model, seen, emptyRows, drawing),
  heldOut: evaluatePictures(model, heldOut, emptyRows, drawing),
});

/** Prints both side by side. */
function printMetrics({ seen, heldOut }: Metrics): void {
  const other = pictureMetricRows(heldOut);
  for (const [i, [name, share]] of pictureMetricRows(seen).entries())
    console.log(`  ${name.padEnd(56)}seen ${share.toFixed(3)}   never trained ${other[i][1].toFixed(3)}`);
}

/** Writes the model, reads it again, and writes what is measured on the file's own numbers: a card, and verdicts for judgePictures.ts. */
async function writeModel(
  run: PictureRun,
  clipSha256: string,
  sets: Sets,
  { seconds, threads }: { readonly seconds: number; readonly threads: number },
  out: string,
) {
  const { model, settings } = run;
  const parameters = trainedParameters(run);
  const at = paths(out);
  const modelFacts = { config: model.config, clipSha256 };
  const bytes = writeDenoiser(model.parameters, parameters, modelFacts, 'F16');
  await write(at.model, bytes);
  await write(at.config, jsonText(denoiserConfigJson(modelFacts)));
  await readDenoiser(await openSafetensors(fileSource(at.model)), model);
  const metrics = measure(run, sets, usualDrawing);
  const captions = sets.seen.brief.descriptions.length;
  const sum = hex((await sha256(bytes))!);
  const judged = {
    sha256: sum,
    drawing: usualDrawing,
    seen: { ...metrics.seen, captions },
    heldOut: { ...metrics.heldOut, captions },
  };
  const facts = {
    ...{ settings, seconds, clipSha256, judged },
    parameters: parameters.length,
    machine: machineName(threads),
    sha256: sum,
    bytes: bytes.length,
  };
  await write(at.card, pictureCard(facts));
  await write(at.judged, jsonText(judged));
  console.log(`Wrote ${at.model}: ${bytes.length} bytes, SHA-256 ${facts.sha256}`);
  printMetrics(metrics);
}

/** Starts a run, or goes on with the one in its folder. Throws UsageError and the errors of the run's files. */
async function openRun(read: NonNullable<ReturnType<typeof readArguments>>, tokenizer: Tokenizer) {
  const { request, values } = read;
  const clipFolder = String(values.clip ?? shippedClip);
  const given = request.resume ? null : readPictureSettings(values);
  const file = await openFolder(request);
  const progress = file && runProgress(file, defaultPictureRun);
  const settings = progress?.settings ?? given!;
  const { reader, clipSha256, compiled } = await openClip(clipFolder, settings.batch);
  const trained = file?.metadata.get('clip_sha256') ?? clipSha256;
  if (trained !== clipSha256)
    throw new UsageError(
      `The run in "${request.out}" began with another CLIP than that in "${clipFolder}"; give its folder with --clip.`,
    );
  const run = await startPictureRun(settings, tokenizer, reader, compiled);
  if (file) run.step = await restoreRun(pictureCheckpoint(run, clipSha256), file);
  return { run, reader, clipSha256, seconds: progress?.seconds ?? 0 };
}

/** Returns the exit code. Throws UsageError and the errors of the run's files. */
export async function trainPictures(args: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const own = { clip: text, threads: text, 'measure-captions': text, 'card-captions': text };
  const read = readArguments(
    args,
    [...Object.keys(numbers), 'again-rate', 'point-rate', 'grounding', 'point-share'],
    own,
    500,
  );
  if (!read) {
    console.log(picturesUsage);
    return 0;
  }
  const captions = (option: string, otherwise: number) =>
    whole(option, String(read.values[option] ?? otherwise), 1, 4096);
  const [wayCaptions, cardCaptions] = [captions('measure-captions', 24), captions('card-captions', 256)];
  const threadCount = whole('threads', String(read.values.threads ?? availableParallelism()), 1, 64);
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const { run, reader, clipSha256, seconds } = await openRun(read, tokenizer);
  console.log(`${run.averages.length} parameters, step ${run.step} of ${run.settings.steps}`);
  const sets = drawSets(tokenizer, reader, wayCaptions);
  const { threads, end } = await startPartsThreads(run, Math.min(threadCount, run.batch.sizes.parts) - 1);
  const session: Session<PictureStepNumbers, Metrics> = {
    steps: run.settings.steps,
    secondsBefore: seconds,
    done: () => run.step,
    train: () => pictureStep(run, threads),
    describe: ({ loss, groundingLoss, gradientNorm }) =>
      `loss ${loss.toFixed(4)}, of pointing ${groundingLoss.toFixed(4)}, gradient ${gradientNorm.toFixed(3)}`,
    measure: () => withTrained(run, () => measure(run, sets, wayDrawing)),
    printMetrics,
    checkpoint: (sofar) => writeRunCheckpoint(pictureCheckpoint(run, clipSha256), sofar),
    finish: (taken) => {
      const effort = { seconds: taken, threads: threads.length + 1 };
      return writeModel(run, clipSha256, drawSets(tokenizer, reader, cardCaptions), effort, read.request.out);
    },
  };
  return runSession(session, read.request).finally(end);
}
