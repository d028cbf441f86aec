import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../files/safetensors.ts';
import { png, tEXt } from '../files/testing/png.ts';
import { unetBytes } from '../models/testing/unets.ts';
import { prepared, usedEmbeddings } from './reading.ts';
import { shared, writeShared } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { droppedFolder } from './testing/droppedFolder.ts';
import { idleEncoder, tokenized, tokenizer } from './testing/fakeEncoder.ts';
import { unetSource } from './unet/unetAnalysis.ts';

describe('an opened file', () => {
  let store: ClipscopeStore;
  const state = () => store.getState();
  const mine = { positive: 'mine', negative: 'not mine' };
  beforeEach(async () => {
    store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null });
    state().setPrompt('positive', mine.positive);
    state().setPrompt('negative', mine.negative);
    await tokenized(store);
  });

  test('a file is opened as what it is', async () => {
    const picture = png(tEXt('parameters', 'a cat\nNegative prompt: fog\nSteps: 20, A b: c, Clip skip: 2'));
    await state().openFile(new File([picture], 'cat.png'));
    expect(state().replaced?.message).toBe('From cat.png: prompt, negative prompt, 20 steps and clip skip 2.');
    await state().openFile(new File([png(tEXt('parameters', 'only a prompt'))], 'cat.png'));
    expect(state().prompts).toEqual({ positive: 'only a prompt', negative: '' });
    await state().openFile(
      new File([writeShared({ ...shared(state()), work: { ...state(), prompts: mine } })], 'x.json'),
    );
    expect(state().prompts).toEqual(mine);
    expect(state().replaced?.message).toBe('Opened from x.json.');
    expect(state().notices).toEqual([]);

    await state().openFile(new File([png()], 'photo.png'));
    await state().openFile(new File(['{"a": 1}'], 'y.json'));
    await state().openFile(new File(['weights'], 'z.safetensors'));
    expect(state().notices.map(({ message }) => message)).toEqual([
      `"photo.png" is a picture without generation data: A1111's, NovelAI's and ComfyUI's were looked for in its texts and EXIF, and an embedding in its pixels.`,
      '"y.json" holds neither a prompt saved by this page nor ComfyUI’s graph.',
      '"z.safetensors" is not a safetensors file: it has only 7 bytes.',
    ]);
    expect(state().prompts).toEqual(mine);
  });

  test('the file that is wanted in a folder is opened, or the folder is told of', async () => {
    const vectors = { name: 'emb_params', dtype: 'F32', shape: [1, 768], data: new Uint8Array(3072) } as const;
    const bytes = Buffer.from(writeSafetensors([vectors])).toString('latin1');
    await state().openFolder(droppedFolder('pipeline', { text_encoder: { 'model.safetensors': bytes } }));
    expect(state().embeddings.map(({ name }) => name)).toEqual(['model']);
    await state().openFolder(droppedFolder('pictures', { 'a.png': 'x' }));
    expect(state().notices.map(({ message }) => message)).toEqual([
      'The folder "pictures" has no file of a name that is known, such as text_encoder/model.safetensors: open the file that you mean.',
    ]);
  });

  test('a U-Net is shown where it is read, until it is closed', async () => {
    const unet = new File([unetBytes({ layout: 'diffusers', d: 64, smaller: 320 })], 'unet.safetensors');
    await state().openFile(unet);
    expect([state().unet, state().view, state().notices]).toEqual([unet, 'analyses', []]);
    expect(unetSource(state())).toEqual({ kind: 'file', file: unet });
    state().openUnet(null);
    // There is no model yet whose file could have one.
    expect(unetSource(state())).toBeNull();
  });

  const infotext = 'a cat\nNegative prompt: fog\nSteps: 20, A b: c, Clip skip: 2';
  const embedding = (name: string) => {
    const bytes = { name: 'emb_params', dtype: 'F32', shape: [1, 768], data: new Uint8Array(4 * 768) } as const;
    return new File([writeSafetensors([bytes])], name);
  };

  test('what a file replaced is told until the next file is opened, and not beyond', async () => {
    await state().openFile(new File([png(tEXt('parameters', infotext))], 'cat.png'));
    await state().openFile(new File([png()], 'photo.png'));
    expect(state().replaced?.message).toMatch(/^From cat\.png/);
    await state().openFile(embedding('moody.safetensors'));
    expect(state().replaced).toBeNull();
    expect(state().past.map(({ prompts }) => prompts)).toEqual([mine]);
  });

  test.each([
    [
      'a.jpg',
      'a (red:1.3) fox, 猫',
      'blurry, [bad]',
      'a1111',
      'From a.jpg: prompt, negative prompt, 24 steps and clip skip 2.',
    ],
    [
      'comfy.png',
      'best quality\n(cat:1.2) on a log',
      '(out of frame)',
      'comfy',
      'From comfy.png: prompt and negative prompt of ComfyUI’s sampler 3 (KSampler).',
    ],
  ])('B50, B54: %s is opened and can be taken back', async (name, positive, negative, syntax, message) => {
    const before = state().options;
    await state().openFile(new File([readFileSync(`src/files/recorded/pictures/${name}`)], name));
    expect(state().prompts).toEqual({ positive, negative });
    expect([state().options.syntax, state().replaced?.message]).toEqual([syntax, message]);
    state().restore(state().replaced!.before);
    expect([state().prompts, state().options]).toEqual([mine, before]);
  });

  test('ComfyUI’s JSON and texts are opened; a mere prompt leaves the negative one', async () => {
    const graph = { 1: { class_type: 'CLIPTextEncode', inputs: { text: 'a fox' } } };
    await state().openFile(new File([JSON.stringify(graph)], 'graph.json'));
    expect(state().prompts).toEqual({ positive: 'a fox', negative: '' });
    await state().openFile(new File([infotext], 'notes.txt'));
    expect(state().prompts).toEqual({ positive: 'a cat', negative: 'fog' });
    await state().openFile(new File(['a red\r\ncar\n'], 'prompt.txt'));
    expect(state().prompts).toEqual({ positive: 'a red\ncar', negative: 'fog' });
    expect(state().replaced?.message).toBe('From prompt.txt: prompt. The negative prompt stays.');
    expect(state().notices).toEqual([]);
  });

  test('an embedding is used at the model’s width, replaced when opened again, and removed', async () => {
    const embedding = (name: string, vectors: number, width: number) =>
      new File(
        [
          writeSafetensors([
            { name: 'emb_params', dtype: 'F32', shape: [vectors, width], data: new Uint8Array(4 * vectors * width) },
          ]),
        ],
        name,
      );
    const vectors = () => prepared(state(), 'positive')?.chunks[0].pass.vectors?.size;
    state().setPrompt('positive', 'a moody cat');
    await state().openFile(embedding('other.safetensors', 1, 768));
    await state().openFile(embedding('moody.safetensors', 2, 768));
    expect(vectors()).toBe(2);
    await state().openFile(embedding('moody.safetensors', 3, 768));
    expect(vectors()).toBe(3);
    expect(state().embeddings.map(({ name }) => name)).toEqual(['other', 'moody']);
    expect(usedEmbeddings(state())).toBe(usedEmbeddings(state()));
    await state().openFile(embedding('moody.safetensors', 2, 64));
    expect(vectors()).toBeUndefined();
    expect(usedEmbeddings(state()).map(({ name }) => name)).toEqual(['other']);
    state().removeEmbedding('moody');
    expect(state().embeddings.map(({ name }) => name)).toEqual(['other']);
    expect(state().notices).toEqual([]);
  });
});
