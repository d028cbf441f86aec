import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileSource } from '../../cli/fileSource.ts';
import { encoderPass } from '../../clip/masks.ts';
import { referenceEncoder } from '../../clip/reference.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { eosTokenId } from '../../tokens/clipVocabulary.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import type { LiveSettings } from '../../training/liveRun.ts';
import { similarity } from '../../training/objective.ts';
import { captionTokens, writeInputIds } from '../../world/captionIds.ts';
import { pictureOfBytes } from '../../world/pictureBytes.ts';
import { serve } from '../serve.ts';
import type { FromThread, ToThread } from '../threadCalls.ts';
import { createLabHandlers } from './labHandlers.ts';
import type { Embedded, LabCalls, LabStarted, Look, Trained } from './labMessages.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const settings: LiveSettings = { seed: 1, batch: 8, objective: 'clip', captions: 'brief', from: 'scratch' };
const knobs = { learningRate: 2e-3, side: 'both', temperature: 'learned' } as const;

/** The handlers behind `serve`. `breathe` lets a test act between two steps. */
function startWorker(breathe: () => Promise<void> = async () => {}) {
  const posted: { message: FromThread<LabCalls>; transfer: Transferable[] }[] = [];
  let clock = 0;
  const answer = serve<LabCalls>(
    createLabHandlers({
      fetchText: async () => merges,
      fetchSmallModel: async () => new Response(readFileSync('public/small-clip/model.safetensors')),
      breathe,
      now: () => clock++,
    }),
    (message, transfer = []) => posted.push({ message, transfer }),
  );
  const ask = async (message: ToThread<LabCalls>) => {
    await answer(message);
    const { message: last } = posted.at(-1)!;
    if (last.type !== 'answer') throw new Error(JSON.stringify(last));
    return last.answer;
  };
  const start = async (changed: Partial<LiveSettings> = {}) =>
    (await ask({ type: 'start', id: 0, request: { settings: { ...settings, ...changed }, merges: '' } })) as LabStarted;
  const train = async (request: Partial<LabCalls['train']['request']> = {}) =>
    (await ask({
      type: 'train',
      id: 1,
      request: { knobs, steps: 3, milliseconds: 1000, watched: 'fixed', ...request },
    })) as Trained;
  const embed = async (request: LabCalls['embed']['request']) =>
    (await ask({ type: 'embed', id: 2, request })) as Embedded;
  const look = async (request: LabCalls['look']['request']) => (await ask({ type: 'look', id: 3, request })) as Look;
  return { answer, posted, start, train, embed, look };
}

test('a run starts with a batch, and trains as many steps as are asked for', async () => {
  const { posted, start, train } = startWorker();
  const { frame, parameters } = await start();
  expect(parameters).toBeGreaterThan(100_000);
  expect(frame.batch!.captions).toHaveLength(8);
  expect(frame.batch!.pictures).toHaveLength(8 * 40 * 40 * 4);
  expect(frame.cosines).toEqual(similarity(frame.u, frame.v, frame.E, 1));
  const trained = await train();
  expect(trained.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
  expect(trained.frame.step).toBe(3);
  expect(trained.frame.batch).toBeUndefined();
  const { transfer } = posted.at(-1)!;
  for (const array of [trained.frame.u, trained.frame.v, trained.frame.cosines])
    expect(transfer).toContain(array.buffer);
  expect((await train({ steps: 100, milliseconds: 4 })).steps.length).toBeLessThan(6);
});

test('a step’s own batch comes as it was before the step, and the fixed one comes again after it', async () => {
  const { start, train } = startWorker();
  const fixed = (await start()).frame.batch!;
  const { frame, steps } = await train({ steps: 1, watched: 'step' });
  expect(frame.step).toBe(0);
  expect(frame.batch!.captions).not.toEqual(fixed.captions);
  expect(frame.logScale).toBe(steps[0].logScale);
  expect((await train()).frame.batch!.captions).toEqual(fixed.captions);
});

test('a cancelled call ends after the step under way, and answers with it', async () => {
  const worker = startWorker(async () => worker.answer({ type: 'cancel', id: 1 }));
  await worker.start();
  expect((await worker.train({ steps: 50 })).steps).toHaveLength(1);
});

test('captions that are the same are marked, and measures come once enough pairs were seen', async () => {
  const { start, train } = startWorker();
  const { frame } = await start({ batch: 256 });
  const { captions, alike } = frame.batch!;
  expect(Array.from(alike)).toEqual(captions.map((caption) => captions.indexOf(caption)));
  expect(new Set(alike).size).toBeLessThan(256);
  const { measured } = await train({ steps: 8, milliseconds: 1e6 });
  expect(measured.map(({ step }) => step)).toEqual([5]);
  const { seen } = measured[0];
  for (const share of [seen.textToImage, seen.imageToText, ...Object.values(seen.foils)]) {
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThanOrEqual(1);
  }
});

test('texts and pictures are embedded as the model is, and a run goes on as if they were not', async () => {
  const [asked, other] = [startWorker(), startWorker()];
  const { frame } = await asked.start();
  await other.start();
  const { captions, pictures } = frame.batch!;
  // Bytes are rounded, so the pictures are those of the batch but for less than a hundredth.
  const plane = 40 * 40;
  const pixels = Float32Array.from({ length: 8 * 3 * plane }, (_, at) => {
    const [picture, channel] = [Math.floor(at / (3 * plane)), Math.floor(at / plane) % 3];
    return pictures[4 * (picture * plane + (at % plane)) + channel] / 127.5 - 1;
  });
  const texts = [...captions, ...captions, 'a photo of the eiffel tower'];
  const embedded = await asked.embed({ texts, pictures: pixels });
  expect(embedded).toMatchObject({ step: 0, E: frame.E, logScale: frame.logScale });
  expect(embedded.texts).toHaveLength(17 * frame.E);
  frame.u.forEach((value, at) => {
    expect(embedded.texts[at]).toBeCloseTo(value, 6);
    expect(embedded.texts[frame.u.length + at]).toBeCloseTo(value, 6);
  });
  frame.v.forEach((value, at) => {
    expect(embedded.pictures[at]).toBeCloseTo(value, 2);
  });
  expect((await asked.train()).frame.u).toEqual((await other.train()).frame.u);
});

test('nothing trains before a run was started', async () => {
  const { train } = startWorker();
  await expect(train()).rejects.toThrow(/no run/);
});

test('a run starts from the shipped model', async () => {
  const { parameters, frame } = await startWorker().start({ from: 'shipped' });
  expect(parameters).toBeGreaterThan(1_000_000);
  expect(frame.E).toBe(128);
});

test('a caption and a picture are looked at as the float64 encoder has it, and the rows sum to 1', async () => {
  const { start, look } = startWorker();
  const { frame } = await start({ from: 'shipped' });
  const { captions, pictures } = frame.batch!;
  const { tokens, caption, picture } = await look({ caption: captions[1], picture: pictureOfBytes(pictures, 1) });
  const source = await openCheckpoint(fileSource('public/small-clip/model.safetensors'));
  const { numHiddenLayers, numAttentionHeads: h, maxPositionEmbeddings: L } = source.config;
  expect(caption).toHaveLength(numHiddenLayers);
  const tokenizer = createTokenizer(merges);
  const inputIds = new Uint32Array(L);
  writeInputIds(captionTokens(tokenizer, captions[1]), inputIds);
  const eos = inputIds.indexOf(eosTokenId);
  expect(tokens).toEqual(Array.from(inputIds.subarray(0, eos + 1), (id) => tokenizer.entry(id)));
  const { attentions } = (await referenceEncoder(source))(encoderPass(inputIds, 'causal'));
  for (const [layer, row] of caption.entries())
    for (let key = 0; key <= eos; key++) {
      let mean = 0;
      for (let head = 0; head < h; head++) mean += attentions[layer][(head * L + eos) * L + key] / h;
      expect(Math.abs(row[key] - mean)).toBeLessThan(1e-5);
    }
  // 40 pixels of 5 each way, and the class token.
  for (const row of picture) expect(row).toHaveLength(1 + 8 * 8);
  for (const row of [...caption, ...picture]) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
});
