import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeNpy } from '../files/npy.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { elementCount } from '../files/tensorFile.ts';
import { jpeg, webp } from '../files/testing/pictures.ts';
import { chunk, png, tEXt, zTXt } from '../files/testing/png.ts';
import { bytesOf, joined, op, zipBytes } from '../files/testing/torch.ts';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  await build({
    configFile: false,
    logLevel: 'error',
    build: { ssr: 'src/state/testing/openHostile.ts', outDir: folder, emptyOutDir: false, target: 'node20' },
    ssr: { noExternal: true },
  });
});

const text = (contents: string) => new Uint8Array(Buffer.from(contents, 'latin1'));
const repeated = (piece: Uint8Array, times: number) =>
  new Uint8Array(Buffer.alloc(piece.length * times, Buffer.from(piece)));
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const session = (prompts: string) => text(`{"clipscope":1,"prompts":${prompts}}`);

/** Twenty texts that each unfold to 100 MB. */
const unfolding = (type: 'zTXt' | 'iTXt') => {
  const head = type === 'iTXt' ? 'parameters\0\x01\0\0\0' : 'parameters\0\0';
  return png(...Array(20).fill(chunk(type, joined(bytesOf(head), deflateSync(Buffer.alloc(100e6))))));
};

/** A PNG of pixels of three bytes: as many as there are, or these rows. */
function pixels(width: number, height: number, rows = new Uint8Array((1 + 3 * width) * height).fill(0x11)): Uint8Array {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  for (let at = 0; at < rows.length; at += 1 + 3 * width) rows[at] = 4;
  return joined(text('\x89PNG\r\n\x1a\n'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)));
}

/** An EXIF block that says it has 65535 entries, each a text of 3 MB. */
const countlessExif = (size: number) =>
  Uint8Array.from(
    { length: size },
    (_, i) => [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0xff, 0xff][i] ?? [1, 14, 0, 2, 0, 0x30, 0, 0, 0, 0, 0, 8][(i - 10) % 12],
  );

/** A safetensors file of this header and no data. */
function headed(json: string): Uint8Array {
  const size = new DataView(new ArrayBuffer(8));
  size.setBigUint64(0, BigInt(json.length), true);
  return joined(new Uint8Array(size.buffer), text(json));
}
const empty = '"dtype":"F32","shape":[0],"data_offsets":[0,0]';
const tensors = (shapes: Readonly<Record<string, readonly number[]>>, metadata?: Readonly<Record<string, string>>) =>
  writeSafetensors(
    Object.entries(shapes).map(([name, shape]) => ({
      name,
      dtype: 'F32',
      shape,
      data: new Float32Array(elementCount(shape)).fill(1),
    })),
    metadata,
  );
const fc1 = 'lora_te_text_model_encoder_layers_0_mlp_fc1';

const pickle = (...steps: Uint8Array[]) => zipBytes([{ name: 'a/data.pkl', data: joined(op.proto, ...steps) }]);
const pickleBytes = 1 << 23;

/** An NPY file of zeros of float32. Version 2 has a header of any length. */
function array(shape: readonly number[], { header = '', version = 1 } = {}): Uint8Array {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), ${header}}`;
  const size = new DataView(new ArrayBuffer(4));
  size.setUint32(0, dictionary.length, true);
  const start = joined(text('\x93NUMPY'), Uint8Array.of(version, 0), new Uint8Array(size.buffer, 0, 2 * version));
  const bytes = 4 * elementCount(shape);
  return joined(start, text(dictionary), new Uint8Array(Number.isSafeInteger(bytes) ? bytes : 0));
}
/** An archive of packed files. Its directory says that each unpacks to `unpacked` bytes. */
const packed = (files: Readonly<Record<string, Uint8Array>>, unpacked?: number) =>
  zipBytes(
    Object.entries(files).map(([name, data]) => ({
      name,
      data: deflateRawSync(data),
      method: 8,
      unpacked: unpacked ?? data.length,
    })),
  );
const embeds = 'prompt_embeds.npy';

const tooMany = '"x.pt" has a pickle of more than 400000 steps, which no model needs.';
const noData = '"x.png" is a picture without generation data';
const damagedCard = '"x.png" is a picture with an embedding that is damaged.';

test.each<[string, string, () => Uint8Array, string]>([
  ['a session of lists without end', 'x.json', () => session(nested(500_000)), 'holds no prompt'],
  [
    'a session of a thousand thousand objects',
    'x.json',
    () => session(`[${Array(340_000).fill('{}')}]`),
    'holds no prompt',
  ],
  ['a session of 4 MB', 'x.json', () => session(`"${'x'.repeat(4e6)}"`), '"x.json" holds 4000028 characters of JSON'],
  ['a graph of lists without end', 'x.json', () => text(`{"1":${nested(500_000)}}`), 'holds neither'],
  ['a picture of texts that unfold', 'x.png', () => unfolding('zTXt'), noData],
  ['a picture of international texts that unfold', 'x.png', () => unfolding('iTXt'), noData],
  ['a picture of a million pieces', 'x.png', () => png(repeated(chunk('tIME', new Uint8Array(0)), 1_000_000)), noData],
  [
    'a picture of an embedding of lists without end',
    'x.png',
    () => png(zTXt('sd-ti-embedding', btoa(nested(1_500_000)))),
    damagedCard,
  ],
  [
    'a picture of an embedding of a million numbers',
    'x.png',
    () =>
      png(zTXt('sd-ti-embedding', btoa(`{"string_to_param":{"*":{"TORCHTENSOR":[[${Array(1_400_000).fill(1)}]]}}}`))),
    '"x.png" has vectors of width 1400000; expected 768, the width of Stable Diffusion 1\'s encoder.',
  ],
  ['a picture of 8 million pixels, all of them packed', 'x.png', () => pixels(2048, 4096), noData],
  ['a picture that says it has 10^18 pixels', 'x.png', () => pixels(2 ** 30, 2 ** 30, new Uint8Array(100)), noData],
  ['a picture whose pixels unfold to 200 MB', 'x.png', () => pixels(100, 100, new Uint8Array(200e6)), noData],
  [
    'a JPEG of 2,000 segments',
    'x.jpg',
    () => jpeg(...Array(2000).fill([0xe1, new Uint8Array(60_000)])),
    'its EXIF and comments',
  ],
  [
    'a WebP with 4 MB of EXIF, a thousand times over',
    'x.webp',
    () => webp(['EXIF', countlessExif(4_000_000)]),
    'is a picture without',
  ],
  [
    'a WebP of a million chunks',
    'x.webp',
    () => joined(webp(), repeated(text('JUNK\0\0\0\0'), 1_000_000)),
    'is a picture without',
  ],
  [
    'an AVIF with 16 MB of items',
    'x.avif',
    () => joined(text('\0\0\0\x0cftypavif\0\xff\xff\xffmeta'), new Uint8Array(1 << 24)),
    'is a picture without',
  ],
  [
    'a GIF of comments without end',
    'x.gif',
    () => joined(text('GIF89a\0\0\0\0\0\0\0'), repeated(text('!\xfe\x01a\0'), 2_000_000)),
    'there is only “a a a',
  ],
  [
    'a graph of 2 MB of objects in a picture',
    'x.png',
    () => png(tEXt('prompt', `{"1":{"class_type":"A","inputs":{"a":[${Array(600_000).fill('{}')}]}}}`)),
    'no sampler and no text',
  ],
  [
    'a graph with a text that is cut off',
    'x.png',
    () => png(tEXt('prompt', `{"1": "${'\\"'.repeat(900_000)}`)),
    noData,
  ],
  ['a graph of 4 MB', 'x.json', () => text(`{"1":{"class_type":"${'A'.repeat(4e6)}"}}`), 'characters of JSON'],
  [
    'an infotext of 4 MB on one line',
    'x.txt',
    () => text(`${'Negative prompt: '.repeat(240_000)}Steps: 5, a b: c, d e: f`),
    'prompts',
  ],
  ['a text of 4 MB of brackets', 'x.txt', () => text(`${'(['.repeat(2_000_000)}`), 'prompts'],
  [
    'a header of 140,000 tensors',
    'x.safetensors',
    () => headed(`{${Array.from({ length: 140_000 }, (_, i) => `"${i}":{${empty}}`)}}`),
    '"x.safetensors" has a header that describes more than any model has.',
  ],
  [
    'a header of one name of 16 MB',
    'x.safetensors',
    () => headed(`{"${'\\u0061'.repeat(2_700_000)}":{${empty}}}`),
    `"x.safetensors" has no tensors that are named as those of a CLIP text encoder are (it has "${'a'.repeat(100)}…")`,
  ],
  [
    'a header of a shape of a million sizes',
    'x.safetensors',
    () => headed(`{"a":{"dtype":"F32","shape":[${Array(1_000_000).fill(9)}],"data_offsets":[0,0]}}`),
    '"x.safetensors" has a header that describes more than any model has.',
  ],
  [
    'a LoRA with settings of 16 MB of lists, which are left out',
    'x.safetensors',
    () =>
      tensors(
        { [`${fc1}.lora_down.weight`]: [1, 768], [`${fc1}.lora_up.weight`]: [3072, 1] },
        { lora_adapter_metadata: nested(8_000_000) },
      ),
    'lora',
  ],
  [
    'a LoKr that multiplies to a terabyte',
    'x.safetensors',
    () =>
      tensors({
        [`${fc1}.lokr_w1_a`]: [400_000, 1],
        [`${fc1}.lokr_w1_b`]: [1, 400_000],
        [`${fc1}.lokr_w2`]: [1, 1],
      }),
    `"x.safetensors" changes a matrix [400000, 400000] at "${fc1}.lokr_w1_a"; expected [3072, 768]`,
  ],
  ['8 MB of empty lists', 'x.pt', () => pickle(repeated(op.emptyList, pickleBytes - 2)), tooMany],
  ['8 MB of empty dictionaries', 'x.pt', () => pickle(repeated(op.emptyDict, pickleBytes - 2)), tooMany],
  ['8 MB of marks', 'x.pt', () => pickle(repeated(op.mark, pickleBytes - 2)), tooMany],
  ['tuples of tuples', 'x.pt', () => pickle(op.none, repeated(joined(op.duplicate, op.tuple2), 500_000)), tooMany],
  [
    'objects of a class',
    'x.pt',
    () => pickle(repeated(joined(op.global('a', 'B'), op.emptyTuple, op.newObject), 300_000), op.stop),
    tooMany,
  ],
  [
    'an archive of arrays that unpack to 500 MB',
    'x.npz',
    () =>
      packed(
        Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`prompt_embeds.${i}.npy`, array([1, 77, 80_000])])),
      ),
    '"x.npz" holds arrays of 492801540 bytes, which no conditioning needs.',
  ],
  [
    'an archive that unpacks to more than it says',
    'x.npz',
    () => packed({ [embeds]: array([1, 77, 800_000]) }, 1000),
    '"x.npz" is an .npz archive whose "prompt_embeds.npy" cannot be unpacked.',
  ],
  ['an archive of as much as is read', 'x.npz', () => packed({ [embeds]: array([1, 77, 160_000]) }), 'conditioning'],
  [
    'an archive with metadata of lists without end, which are left out',
    'x.npz',
    () => packed({ 'metadata.json': text(nested(5e6)), [embeds]: writeNpy(new Float32Array(77), [1, 77, 1]) }),
    'conditioning',
  ],
  [
    'an array of 8-bit numbers, which become four times as long',
    'x.npy',
    () =>
      text(
        Buffer.from(array([77, 130_000]))
          .toString('latin1')
          .replace('<f4', '|u1')
          .replace('(77, ', '(308,'),
      ),
    '"x.npy" holds 40040000 numbers, which no conditioning needs.',
  ],
  [
    'an array with a header of 2 MB',
    'x.npy',
    () => array([0], { version: 2, header: ' '.repeat(2e6) }),
    '"x.npy" cannot be read: the NPY file has a header of',
  ],
  [
    'an array of thousands of dimensions',
    'x.npy',
    () => array(Array(3000).fill(9)),
    "the NPY file has 0 bytes of data; its shape (9, 9, 9, 9, 9, 9, 9, 9) of '<f4' takes Infinity.",
  ],
])('%s stays within 200 MB', (_, name, make, sentence) => {
  const file = join(folder, name);
  writeFileSync(file, make());
  const printed = execFileSync('node', [join(folder, 'openHostile.js'), file], { encoding: 'utf8' });
  const { told, bytes } = JSON.parse(printed);
  expect(told).toContain(sentence);
  expect(told.length).toBeLessThan(600);
  expect(bytes).toBeLessThan(200e6);
});
