import { openSafetensors } from '../../files/safetensors.ts';
import { smallModelSource } from '../../models/smallModel.ts';
import { contextLength, eosTokenId } from '../../tokens/clipVocabulary.ts';
import { createTokenizer, type Tokenizer } from '../../tokens/tokenizer.ts';
import { clipEmbedder, inputIdsOf } from '../../training/evaluation.ts';
import { type LiveMeasures, type LiveSets, liveSets, startMeasuring } from '../../training/liveMeasures.ts';
import { goOnLive, type LiveRun, type LiveStep, liveStep, startLive, watch } from '../../training/liveRun.ts';
import { type Objective, similarity } from '../../training/objective.ts';
import { captionAttention, pictureAttention } from '../../training/pooledAttention.ts';
import { pictureBytes } from '../../world/pictureBytes.ts';
import { type CaptionStyle, firstEqual, type WorldBatch } from '../../world/worldBatch.ts';
import { type Handlers, moving } from '../serve.ts';
import type {
  Embedded,
  EmbedRequest,
  LabBatch,
  LabCalls,
  LabFrame,
  Look,
  LookRequest,
  TrainRequest,
  WatchedBatch,
} from './labMessages.ts';

/** The world outside of the lab's worker. */
interface LabSurroundings {
  /** Text at an address. */
  fetchText(address: string): Promise<string>;
  /** Asks for the file of the small model that comes with the page. */
  fetchSmallModel(signal: AbortSignal): Promise<Response>;
  /** Lets messages come in. */
  breathe(): Promise<void>;
  /** Milliseconds of any clock. */
  now(): number;
}

/** Pairs that are learned from between two measurements. */
const pairsBetweenMeasures = 1280;

/** A run, and what is known of it beyond the model. */
interface Lab {
  readonly run: LiveRun;
  readonly tokenizer: Tokenizer;
  readonly sets: LiveSets;
  readonly measureEvery: number;
  measuring: ReturnType<typeof startMeasuring> | null;
  /** The batch that the page has. */
  watched: WatchedBatch | null;
}

/** For each caption of ids [N, 77], the first that is the same: itself, or an earlier one. */
function sameCaptions(inputIds: Uint32Array): Uint32Array {
  const count = inputIds.length / contextLength;
  const idsOf = (i: number) => inputIds.subarray(i * contextLength, (i + 1) * contextLength);
  return firstEqual(Array.from({ length: count }, (_, i) => idsOf(i).join()));
}

const labBatch = ({ captions, inputIds, pictures }: WorldBatch): LabBatch => ({
  captions: [...captions],
  alike: sameCaptions(inputIds),
  pictures: pictureBytes(pictures),
});

/** Picks a frame out of a batch's objective. `step` counts what the model had learned from. */
function frameOf(lab: Lab, watched: WatchedBatch, step: number, { u, v }: Objective): LabFrame {
  const { run } = lab;
  const E = run.model.config.text.projectionDim;
  const batch = watched === 'step' ? run.batch : run.watched;
  const isNew = watched === 'step' || lab.watched !== 'fixed';
  lab.watched = watched;
  return {
    step,
    ...(isNew && { batch: labBatch(batch) }),
    ...{ E, u, v, cosines: similarity(u, v, E, 1) },
    logScale: run.model.logScale.value[0],
    bias: run.model.logitBias?.value[0] ?? 0,
  };
}

const arraysOf = ({ batch, u, v, cosines }: LabFrame) => [
  ...[u, v, cosines],
  ...(batch ? [batch.pictures, batch.alike] : []),
];

/** Goes on measuring between two steps, or starts to where it is time. */
function measureOn(lab: Lab): LiveMeasures | null {
  const { run, sets, measureEvery } = lab;
  if (!lab.measuring && run.step % measureEvery === 0) lab.measuring = startMeasuring(run, sets);
  if (!lab.measuring) return null;
  // It is done when half of the steps to the next are.
  const pieces = Math.ceil((2 * lab.measuring.pieces) / measureEvery);
  for (let piece = 0; piece < pieces; piece++) {
    const measures = lab.measuring.next();
    if (!measures) continue;
    lab.measuring = null;
    return measures;
  }
  return null;
}

async function train(
  lab: Lab,
  { knobs, steps: most, milliseconds, watched }: TrainRequest,
  signal: AbortSignal,
  { breathe, now }: LabSurroundings,
) {
  const steps: LiveStep[] = [];
  const measured: LiveMeasures[] = [];
  const until = now() + milliseconds;
  let last: ReturnType<typeof liveStep>;
  do {
    last = liveStep(lab.run, knobs);
    steps.push(last.numbers);
    const measures = measureOn(lab);
    if (measures) measured.push(measures);
    await breathe();
  } while (steps.length < most && now() < until && !signal.aborted);
  const { run } = lab;
  const seen =
    watched === 'step'
      ? frameOf(lab, 'step', run.step - 1, last.objective)
      : frameOf(lab, 'fixed', run.step, watch(run));
  const { logScale, bias } = watched === 'step' ? last.numbers : seen;
  const frame = { ...seen, logScale, bias };
  return moving({ steps, measured, frame }, arraysOf(frame));
}

function embed({ run, tokenizer }: Lab, { texts, pictures }: EmbedRequest) {
  const { E, embedTexts, embedPictures } = clipEmbedder(run.model, run.rows, run.settings.batch);
  const embedded: Embedded = {
    ...{ step: run.step, E, logScale: run.model.logScale.value[0] },
    texts: embedTexts(inputIdsOf(tokenizer, texts)),
    pictures: embedPictures(pictures),
  };
  return moving(embedded, [embedded.texts, embedded.pictures]);
}

function look({ run, tokenizer }: Lab, { caption, picture }: LookRequest) {
  const inputIds = inputIdsOf(tokenizer, [caption]);
  const look: Look = {
    step: run.step,
    tokens: Array.from(inputIds.subarray(0, inputIds.indexOf(eosTokenId) + 1), (id) => tokenizer.entry(id)),
    caption: captionAttention(run.model, run.rows, inputIds),
    picture: pictureAttention(run.model, picture),
  };
  return moving(look, [...look.caption, ...look.picture]);
}

/** Answers the page's calls about a live run of a small CLIP, one after the other. */
export function createLabHandlers(surroundings: LabSurroundings): Handlers<LabCalls> {
  let tokenizer: Promise<Tokenizer> | undefined;
  const sets = new Map<CaptionStyle, LiveSets>();
  let lab: Lab | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  /** Runs when all calls before are done. */
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = turn.then(run);
    turn = mine.catch(() => {});
    return mine;
  };

  async function start({ settings, merges }: LabCalls['start']['request'], signal: AbortSignal) {
    signal.throwIfAborted();
    tokenizer ??= surroundings.fetchText(merges).then(createTokenizer);
    const known = await tokenizer.catch((error) => {
      tokenizer = undefined;
      throw error;
    });
    const file =
      settings.from === 'shipped' &&
      (await openSafetensors(await smallModelSource(surroundings.fetchSmallModel, signal)));
    const run = file ? await goOnLive(settings, known, file) : await startLive(settings, known);
    const { captions } = settings;
    if (!sets.has(captions)) sets.set(captions, liveSets(known, settings));
    const measureEvery = Math.max(1, Math.round(pairsBetweenMeasures / settings.batch));
    lab = { run, tokenizer: known, sets: sets.get(captions)!, measureEvery, measuring: null, watched: null };
    const frame = frameOf(lab, 'fixed', 0, watch(run));
    return moving({ parameters: run.model.parameters.values.length, frame }, arraysOf(frame));
  }

  const begun = () => {
    if (!lab) throw new RangeError('There is no run yet.');
    return lab;
  };

  return {
    start: (request, signal) => inTurn(() => start(request, signal)),
    train: (request, signal) => inTurn(async () => train(begun(), request, signal, surroundings)),
    embed: (request) => inTurn(async () => embed(begun(), request)),
    look: (request) => inTurn(async () => look(begun(), request)),
  };
}
