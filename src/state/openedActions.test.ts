import { beforeEach, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../files/safetensors.ts';
import { png, tEXt } from '../files/testing/png.ts';
import { prepared, usedEmbeddings } from './reading.ts';
import { shared, writeShared } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { tokenized, tokenizer } from './testing/fakeEncoder.ts';

describe('an opened file', () => {
  let store: ClipscopeStore;
  const state = () => store.getState();
  const mine = { positive: 'mine', negative: 'not mine' };
  beforeEach(async () => {
    store = createClipscopeStore({ connect: () => null, loadTokenizer: async () => tokenizer, memory: null });
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
      '"photo.png" is a picture without the generation data that A1111 writes into its own.',
      '"y.json" holds no prompt of this page.',
      'z.safetensors was not opened: the encoder needs WebGPU.',
    ]);
    expect(state().prompts).toEqual(mine);
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
