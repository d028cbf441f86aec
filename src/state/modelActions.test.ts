import { beforeEach, describe, expect, test } from 'vitest';
import { sd15TextEncoder } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import { WorkerError } from '../worker/ask.ts';
import { encoderStatus } from './encoderStatus.ts';
import { encoderBytes, fileToKeep, keptModel, listedModels, modelChoice, modelChoices } from './modelChoices.ts';
import type { ClipscopeStore } from './store.ts';
import { type FakeEncoder, modelInfo, readyPage } from './testing/fakeEncoder.ts';

let fake: FakeEncoder;
let store: ClipscopeStore;
const facts = () => store.getState();
const status = () => encoderStatus(facts());
const progress = { done: 40, total: 100, verifying: false };
const noRoom = () => new WorkerError('StorageError', 'No room.', 'quota');

beforeEach(async () => {
  ({ fake, store } = await readyPage());
});

describe('a download', () => {
  const [file] = sd15TextEncoder.files;
  const model: StoredModel = {
    id: 'sd-1-5',
    name: file.label,
    source: file.urls[0],
    bytes: 100,
    stored: 100,
    complete: true,
    addedAt: 1,
    sha256: file.sha256,
  };
  const part: StoredModel = { ...model, stored: 45, complete: false, sha256: null };
  const row = () => facts().downloads.get(file.id);

  test('that is whole is used, listed and remembered; the model in use stays until then', async () => {
    const before = facts().model;
    const downloaded = facts().download(file);
    expect(row()).toEqual({ file, phase: 'running', progress: null });
    const download = await fake.downloads.next();
    download.progress(progress);
    expect(row()).toEqual({ file, phase: 'running', progress });
    fake.stored.models = [model];
    await download.answer(model);
    await downloaded;
    expect(row()).toBeUndefined();
    const load = await fake.nextLoad();
    expect(load.request).toEqual({ kind: 'stored', model: 'sd-1-5', name: file.label });
    expect(status().text).toBe(`Loading ${file.label}`);
    expect(facts().model).toBe(before);
    await load.answer(modelInfo(file.label, 'full'));
    expect(facts().storedModel).toEqual({ model: 'sd-1-5', name: file.label });
    expect(modelChoice(facts())).toBe('stored sd-1-5');
    expect(modelChoices(facts()).map(({ label }) => label)).toEqual([
      'Small CLIP of shapes',
      'Made-up weights, full size',
      'Made-up weights, tiny',
      file.label,
    ]);
  });

  test('does not run twice at once for one file', () => {
    void facts().download(file);
    void facts().download(file);
    expect(fake.downloads.waiting).toBe(1);
  });

  test('that is paused keeps what has arrived, and goes on with it', async () => {
    const paused = facts().download(file);
    (await fake.downloads.next()).progress(progress);
    fake.stored.models = [part];
    facts().pauseDownload(file.id);
    await paused;
    // More has arrived than was told last.
    const arrived = { ...progress, done: 45 };
    expect(row()).toEqual({ file, phase: 'paused', progress: arrived });
    expect(facts().notices).toEqual([]);
    // Its row is the download's, not the stored part's.
    expect(facts().stored?.models).toEqual([part]);
    expect(listedModels(facts())).toEqual([]);
    void facts().download(file);
    expect(row()).toEqual({ file, phase: 'running', progress: arrived });
    expect(fake.downloads.waiting).toBe(1);
  });

  test.each(['running', 'paused'])('that is cancelled while %s deletes what has arrived', async (phase) => {
    const downloaded = facts().download(file);
    (await fake.downloads.next()).progress(progress);
    fake.stored.models = [part, { ...model, id: 'other', source: 'https://example.com/other' }];
    if (phase === 'paused') {
      facts().pauseDownload(file.id);
      await downloaded;
    }
    await facts().cancelDownload(file.id);
    expect(row()).toBeUndefined();
    expect(facts().stored?.models.map(({ id }) => id)).toEqual(['other']);
    expect(fake.loads.waiting).toBe(0);
  });

  test('that fails says why in its row, and the model in use goes on working', async () => {
    const { model } = facts();
    const failed = facts().download(file);
    await (await fake.downloads.next()).fail(noRoom());
    await failed;
    expect(row()).toEqual({ file, phase: 'failed', progress: null, message: 'No room.', fault: 'quota' });
    expect(facts().model).toBe(model);
    expect(status().phase).toBe('ready');
    await facts().cancelDownload(file.id);
    expect(facts().downloads.size).toBe(0);
  });

  test('that is deleted stays in use, can be gone back to no more, and is forgotten', async () => {
    fake.stored.models = [model];
    await facts().listModels();
    const request = { kind: 'stored', model: model.id, name: model.name } as const;
    await fake.load(model.name, 'full', () => facts().openModel(request));
    await facts().deleteModel(model.id);
    expect(facts().model?.name).toBe(model.name);
    expect(facts().storedModel).toBeNull();
    expect(modelChoice(facts())).toBe('stored sd-1-5');
    expect(modelChoices(facts())).toHaveLength(4);
  });
});

describe('keeping a file', () => {
  const file = new File([new Uint8Array(9)], 'mine.ckpt', { lastModified: 5 });
  const kept: StoredModel = {
    id: 'mine-ckpt',
    name: 'mine.ckpt',
    source: 'weights:ab',
    bytes: 100,
    stored: 100,
    complete: true,
    addedAt: 1,
    sha256: 'cd',
  };
  const load = (opened: File) =>
    fake.load('mine.ckpt', 'tiny', () => facts().openModel({ kind: 'file', file: opened }));

  async function opened(sha256: string | undefined = 'ab') {
    await load(file);
    await (await fake.hashes.next()).answer(sha256);
  }

  test('is offered for a file in use, and ends with it stored, in use as that, and remembered', async () => {
    expect(fileToKeep(facts())).toBeNull();
    void facts().keepFile();
    expect(fake.keeps.waiting).toBe(0);
    await opened();
    expect(fileToKeep(facts())).toBe(file);
    const { model } = facts();
    const keeping = facts().keepFile();
    void facts().keepFile();
    const keep = await fake.keeps.next();
    expect(keep).toMatchObject({ file, source: 'weights:ab' });
    expect(fake.keeps.waiting).toBe(0);
    keep.progress(progress);
    expect(facts().keeping).toEqual({ file, source: 'weights:ab', progress, failure: null });
    expect(fileToKeep(facts())).toBeNull();
    fake.stored.models = [{ ...kept, complete: false }];
    await facts().listModels();
    expect(listedModels(facts())).toEqual([]);
    fake.stored.models = [kept];
    await keep.answer(kept);
    await keeping;
    expect(facts()).toMatchObject({
      keeping: null,
      storedModel: { model: 'mine-ckpt', name: 'mine.ckpt' },
      modelRequest: { kind: 'stored', model: 'mine-ckpt', name: 'mine.ckpt' },
      notices: [],
    });
    // Nothing was loaded again.
    expect(facts().model).toBe(model);
    expect(fake.loads.waiting).toBe(0);
    expect(keptModel(facts())).toBe(kept);
    expect(fileToKeep(facts())).toBeNull();
    expect(modelChoice(facts())).toBe('stored mine-ckpt');
    expect(modelChoices(facts()).map(({ label }) => label)).toEqual([
      'Small CLIP of shapes',
      'Made-up weights, full size',
      'Made-up weights, tiny',
      'mine.ckpt',
    ]);
  });

  test('is not offered again for a file that is kept, and the next visit opens what was kept', async () => {
    fake.stored.models = [kept];
    await facts().listModels();
    await opened();
    expect(keptModel(facts())).toBe(kept);
    expect(fileToKeep(facts())).toBeNull();
    expect(facts().storedModel).toEqual({ model: 'mine-ckpt', name: 'mine.ckpt' });
    expect(modelChoices(facts()).map(({ label }) => label)).toContain('mine.ckpt (from disk)');
    // Other weights in a file of the same name are another model.
    await load(file);
    expect(keptModel(facts())).toBeUndefined();
    expect(fileToKeep(facts())).toBeNull();
    await (await fake.hashes.next()).answer('ef');
    expect(keptModel(facts())).toBeUndefined();
    expect(fileToKeep(facts())).toBe(file);
    await facts().deleteModel('mine-ckpt');
    expect(facts().storedModel).toBeNull();
  });

  test('knows a file without a hash by its name, size and date', async () => {
    await load(file);
    expect(facts().weightsHash).toBeNull();
    void facts().keepFile();
    expect(fake.keeps.waiting).toBe(0);
    // The file may be gone by then.
    await (await fake.hashes.next()).fail(new WorkerError('SourceError', 'Gone.'));
    const keeping = facts().keepFile();
    const keep = await fake.keeps.next();
    expect(keep.source).toBe('file:mine.ckpt?bytes=9&modified=5');
    fake.stored.models = [{ ...kept, source: keep.source }];
    await keep.answer(fake.stored.models[0]);
    await keeping;
    await load(new File([new Uint8Array(9)], 'mine.ckpt', { lastModified: 5 }));
    await (await fake.hashes.next()).answer(undefined);
    expect(fileToKeep(facts())).toBeNull();
  });

  test('takes no hash for its own that comes after another model was loaded', async () => {
    await load(file);
    await load(new File([new Uint8Array(8)], 'other.ckpt'));
    const [first, second] = [await fake.hashes.next(), await fake.hashes.next()];
    await first.answer('ab');
    expect(facts().weightsHash).toBeNull();
    await second.answer('ef');
    expect(facts().weightsHash).toBe('ef');
    await fake.load('synthetic', 'tiny', () => facts().openModel({ kind: 'synthetic', size: 'tiny' }));
    expect(facts().weightsHash).toBeUndefined();
    expect(fake.hashes.waiting).toBe(0);
  });

  test('is offered again after it was cancelled', async () => {
    await opened();
    const keeping = facts().keepFile();
    facts().cancelKeep();
    await keeping;
    expect(facts().keeping).toBeNull();
    expect(facts().storedModel).toBeNull();
    expect(fileToKeep(facts())).toBe(file);
  });

  test('that fails is one sentence, the model in use stays, and it can be tried again', async () => {
    await opened();
    const { model, modelRequest } = facts();
    const first = facts().keepFile();
    const keep = await fake.keeps.next();
    keep.progress(progress);
    await keep.fail(noRoom());
    await first;
    const failure = { message: 'No room.', fault: 'quota' };
    const failed = { file, source: 'weights:ab', progress: null, failure };
    expect(facts()).toMatchObject({ keeping: failed, model, modelRequest, storedModel: null, notices: [] });
    expect(status().phase).toBe('busy');
    expect(fileToKeep(facts())).toBeNull();
    const second = facts().keepFile();
    expect(facts().keeping?.failure).toBeNull();
    await (await fake.keeps.next()).fail(noRoom());
    await second;
    facts().cancelKeep();
    expect(facts().keeping).toBeNull();
    expect(fileToKeep(facts())).toBe(file);
  });

  test('leaves a model that is chosen meanwhile', async () => {
    await opened();
    const keeping = facts().keepFile();
    await fake.load('synthetic-tiny', 'tiny', () => facts().openModel({ kind: 'synthetic', size: 'tiny' }));
    fake.stored.models = [kept];
    await (await fake.keeps.next()).answer(kept);
    await keeping;
    expect(facts().modelRequest).toEqual({ kind: 'synthetic', size: 'tiny' });
    expect(facts().storedModel).toBeNull();
    expect(facts().stored?.models).toEqual([kept]);
  });

  test('is not offered where it would last no longer than the page', async () => {
    fake.client.models = async () => ({ place: 'memory', models: [], free: null, persisted: false });
    await facts().listModels();
    await opened();
    expect(fileToKeep(facts())).toBeNull();
  });

  test('takes as many bytes as its weights', () => {
    expect(encoderBytes(facts())).toBe(4 * 123_060_480);
    store.setState({ model: { ...modelInfo('mixed', 'full'), dtype: 'F16, F32' } });
    expect(encoderBytes(facts())).toBeNull();
  });
});
