/**
 * Prompts in pictures, texts and JSON of public bug reports of other programs, by the report's number, with what the
 * original program makes of each; and further inputs of the same kinds.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { memorySource } from '../files/testing/memorySource.ts';
import { commentBlock, exifBlock, exifJpeg, jpeg, utf16, webp } from '../files/testing/pictures.ts';
import { iTXt, png, tEXt, zTXt } from '../files/testing/png.ts';
import { parseInfotext } from '../prompt/a1111/infotext.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { NoPromptError, pictureFormatOf, readGraphFile, readPicturePrompts, readTextPrompts } from './readPrompts.ts';
import { readWritten, type WrittenPrompts } from './writtenPrompts.ts';

const recorded = (file: string) => readFileSync(`src/files/recorded/pictures/${file}`);
const utf8 = (text: string) => new TextEncoder().encode(text);

const both = { positive: 'a cat', negative: 'fog' };

async function picture(bytes: Uint8Array, name = 'a.png'): Promise<WrittenPrompts> {
  const source = memorySource(bytes, name);
  return readPicturePrompts(source, (await pictureFormatOf(source))!);
}

function taken(written: WrittenPrompts, options: Partial<PromptOptions> = {}) {
  return readWritten(written, { ...defaultOptions, ...options })[0];
}

function pasted(text: string, options: Partial<PromptOptions> = {}) {
  return taken({ program: 'a1111', infotext: parseInfotext(text)!, remarks: [] }, options);
}

test.each(['a.jpg', 'a.webp', 'le.jpg', 'c.gif', 'comment.avif', 'comment.jpg', 'exif.png', 'itxt_zip_lang.png'])(
  'B50, B52: the infotext of %s',
  async (file) => {
    const { prompts, options, summary } = taken(await picture(recorded(file), file));
    expect(prompts).toEqual({ positive: 'a (red:1.3) fox, 猫', negative: 'blurry, [bad]' });
    expect(options).toEqual({ ...defaultOptions, steps: 24, clipSkip: 2 });
    expect(summary).toBe('prompt, negative prompt, 24 steps and clip skip 2.');
  },
);

test('B53: NovelAI’s picture, as A1111 turns it into an infotext', async () => {
  const { prompts, options, summary } = taken(await picture(recorded('novelai.png')), {
    syntax: 'compel',
    weighting: 'compel-mask',
  });
  expect(prompts).toEqual({ positive: 'a {red} fox, best quality', negative: 'lowres, bad anatomy' });
  expect(options).toEqual({ ...defaultOptions, steps: 28, clipSkip: 2 });
  expect(summary).toMatch(/^prompt, negative prompt, 28 steps and clip skip 2\. It is NovelAI’s/);
});

test.each<[string, Uint8Array]>([
  [
    'a PNG’s Comment',
    png(tEXt('Software', 'GIMP'), iTXt('Comment', 'a cat\nNegative prompt: fog\nSteps: 9, A b: c, D e: f', false)),
  ],
  [
    'EXIF’s description',
    exifJpeg(exifBlock({ first: [[0x010e, 2, utf8('a cat\nNegative prompt: fog\nSteps: 9, A b: c, D e: f\0')]] })),
  ],
  [
    'a comment that follows a mere description',
    jpeg([0xfe, utf8('a cat\nNegative prompt: fog\nSteps: 9, A b: c, D e: f')]),
  ],
])('an infotext in %s', async (_, bytes) => {
  expect(taken(await picture(bytes))).toMatchObject({ prompts: both, options: { steps: 9 } });
});

const novelAi = (comment: object, description?: string) =>
  [
    tEXt('Software', 'NovelAI'),
    ...(description === undefined ? [] : [iTXt('Description', description, false)]),
    iTXt('Comment', JSON.stringify(comment), true),
  ] as const;
const caption = (base_caption: string, ...char_captions: object[]) => ({ caption: { base_caption, char_captions } });

test.each<[string, Uint8Array, string, string, RegExp]>([
  [
    'of model 4',
    png(
      ...novelAi(
        {
          prompt: 'two cats',
          uc: 'fog',
          steps: 23,
          v4_prompt: caption('two cats', { char_caption: 'a black cat' }, { char_caption: 'a white cat' }),
        },
        'two cats',
      ),
    ),
    'two cats',
    'fog',
    /23 steps .* Its 2 prompts for single characters are left out/,
  ],
  [
    'of model 4 without the older fields',
    png(...novelAi({ steps: 1, v4_prompt: caption('小さな猫'), v4_negative_prompt: caption('fog') })),
    '小さな猫',
    'fog',
    /1 step and/,
  ],
  [
    'with a prompt of two lines',
    png(...novelAi({ uc: '', steps: 28 }, 'a cat\non a log')),
    'a cat\non a log',
    '',
    /28 steps/,
  ],
  [
    'as a WebP, whose comment is JSON',
    webp([
      'EXIF',
      commentBlock(
        'ASCII',
        utf8(JSON.stringify({ Software: 'NovelAI', Description: 'a cat', Comment: '{"uc": "fog", "steps": 5}' })),
      ),
    ]),
    'a cat',
    'fog',
    /5 steps/,
  ],
])('NovelAI’s picture %s', async (_, bytes, positive, negative, summary) => {
  const found = taken(await picture(bytes));
  expect(found.prompts).toEqual({ positive, negative });
  expect(found.options.clipSkip).toBe(2);
  expect(found.summary).toMatch(summary);
});

test.each(['comfy.png', 'comfy.webp'])('B54: ComfyUI’s %s', async (file) => {
  const { prompts, options, summary } = taken(await picture(recorded(file)), { clipSkip: 3 });
  const expected = {
    'comfy.png': { positive: 'best quality\n(cat:1.2) on a log', negative: '(out of frame)' },
    'comfy.webp': { positive: 'a (red:1.2) fox', negative: 'blurry' },
  };
  expect(prompts).toEqual(expected[file as keyof typeof expected]);
  expect(options).toMatchObject({ syntax: 'comfy', weighting: 'comfy', clipSkip: 1 });
  expect(summary).toBe('prompt and negative prompt of ComfyUI’s sampler 3 (KSampler).');
});

test('several samplers, clip skip, LoRAs and combined texts are told', async () => {
  const nodes = {
    1: { class_type: 'KSampler', inputs: { positive: ['5', 0], negative: ['3', 0], latent_image: ['9', 0] } },
    2: { class_type: 'CLIPTextEncode', inputs: { text: 'a cat', clip: ['6', 0] } },
    3: { class_type: 'CLIPTextEncode', inputs: { text: 'fog', clip: ['6', 0] } },
    5: { class_type: 'ConditioningConcat', inputs: { conditioning_to: ['2', 0], conditioning_from: ['2', 0] } },
    6: { class_type: 'CLIPSetLastLayer', inputs: { stop_at_clip_layer: -2, clip: ['7', 1] } },
    7: { class_type: 'LoraLoader', inputs: { lora_name: 'x.safetensors', strength_clip: 0.8, clip: ['8', 1] } },
    8: { class_type: 'CheckpointLoaderSimple', inputs: {} },
    9: { class_type: 'KSampler', inputs: { positive: ['2', 0], negative: ['3', 0] } },
  };
  const found = taken(await picture(png(tEXt('prompt', JSON.stringify(nodes)))));
  expect([found.prompts, found.options.clipSkip]).toEqual([both, 2]);
  expect(found.summary).toBe(
    'prompt and negative prompt of ComfyUI’s sampler 9 (KSampler), the first of 2, and clip skip 2. Its graph merges the LoRA “x.safetensors” × 0.8 into the encoder, which is not taken.',
  );
});

test.each<[string, string, Partial<PromptOptions>]>([
  ['comfy++', 'length+mean', { weighting: 'adv-comfy++', normalisation: 'length+mean' }],
  ['A1111', 'none', { weighting: 'adv-a1111', normalisation: 'none' }],
  ['down_weight', 'mean', { weighting: 'adv-down-weight', normalisation: 'mean' }],
  ['comfy', 'length', { weighting: 'comfy', normalisation: 'length' }],
  ['perp', 'none', { weighting: 'comfy', normalisation: 'none' }],
])('a text that ADV_CLIP_emb weighs as %s, %s', async (weight_interpretation, token_normalization, options) => {
  const encoder = {
    class_type: 'BNK_CLIPTextEncodeAdvanced',
    inputs: { text: 'a (cat:1.2)', weight_interpretation, token_normalization },
  };
  const json = { ...graph, 2: encoder };
  const found = taken((await readGraphFile(memorySource(utf8(JSON.stringify(json)))))!);
  expect(found.options).toMatchObject({ syntax: 'comfy', ...options });
  expect(found.summary).toContain(`, weighed as “${weight_interpretation}” (${token_normalization}).`);
});

test('texts of a workflow are yet to be read by ComfyUI’s page, those of a graph are not', async () => {
  const options = async (json: object) =>
    taken((await readGraphFile(memorySource(utf8(JSON.stringify(json)))))!).options;
  expect((await options(graph)).comfyInput).toBe('page');
  const sent = { 1: { class_type: 'CLIPTextEncode', inputs: { text: 'a {cat} // dog' } } };
  expect((await options(sent)).comfyInput).toBe('api');
  const node = { id: 1, type: 'CLIPTextEncode', widgets_values: ['{a|b}'] };
  expect((await options({ nodes: [node], links: [] })).comfyInput).toBe('page');
});

const graph = {
  1: { class_type: 'KSampler', inputs: { positive: ['2', 0], negative: ['3', 0] } },
  2: { class_type: 'CLIPTextEncode', inputs: { text: 'a cat', clip: ['4', 0] } },
  3: { class_type: 'CLIPTextEncode', inputs: { text: 'fog', clip: ['4', 0] } },
  4: { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a' } },
};
const json = JSON.stringify(graph);

test.each<[string, Uint8Array]>([
  ['a compressed text', png(zTXt('prompt', json))],
  [
    'NaN, which Python writes',
    png(tEXt('prompt', json.replace('"a cat"', '"a cat", "is_changed": [NaN, -Infinity, "NaN"]'))),
  ],
  [
    'a damaged graph beside a whole workflow',
    png(tEXt('prompt', json.slice(0, -5)), tEXt('workflow', JSON.stringify({ prompt: graph }))),
  ],
  ['an EXIF comment, as Civitai writes it', exifJpeg(commentBlock('UNICODE', utf16(json, false)))],
  [
    'EXIF of another program',
    webp([
      'EXIF',
      exifBlock({
        first: [
          [0x010e, 2, utf8(`Workflow:{}\0`)],
          [0x010f, 2, utf8(`Prompt:${json}\0`)],
        ],
      }),
    ]),
  ],
  ['“parameters” beside', png(tEXt('parameters', '{"sui_image_params": {}}'), tEXt('prompt', json))],
])('ComfyUI’s graph in %s', async (_, bytes) => {
  expect(taken(await picture(bytes)).prompts).toEqual(both);
});

const emphasised = 'a (red:1.3) fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1';
const asOriginal = 'It names no emphasis mode, so weights act as in A1111’s mode Original, which A1111 sets then.';

test.each<[string, Pick<PromptOptions, 'weighting' | 'brackets'>]>([
  ['No norm', { weighting: 'scale', brackets: 'weights' }],
  ['None', { weighting: 'original', brackets: 'text' }],
  ['Ignore', { weighting: 'none', brackets: 'weights' }],
  ['Original', { weighting: 'original', brackets: 'weights' }],
])('B56: the field Emphasis: %s restores the mode, whatever is in use', (mode, options) => {
  for (const used of [
    {},
    { weighting: 'scale' },
    { brackets: 'text' },
    { syntax: 'comfy', weighting: 'comfy' },
  ] as const) {
    const found = pasted(`${emphasised}, Emphasis: ${mode}, Version: v1.10.1`, used);
    expect(found.options).toMatchObject({ syntax: 'a1111', ...options });
    expect(found.summary).toBe(`prompt, negative prompt, 20 steps and emphasis ${mode}.`);
  }
});

test.each<[string, string, Partial<PromptOptions>, Partial<PromptOptions>, string | null]>([
  ['weights, another mode', emphasised, { weighting: 'scale' }, { weighting: 'original' }, asOriginal],
  ['weights, brackets as text', emphasised, { brackets: 'text' }, { brackets: 'weights' }, asOriginal],
  [
    'weights in the negative prompt alone',
    emphasised.replace('(red:1.3)', 'red').replace('blurry', '[blurry]'),
    { weighting: 'none' },
    { weighting: 'original' },
    asOriginal,
  ],
  ['weights, the same mode', emphasised, {}, { weighting: 'original' }, null],
  [
    'no weight',
    emphasised.replace('(red:1.3)', 'red'),
    { weighting: 'scale', brackets: 'text' },
    { weighting: 'scale', brackets: 'text' },
    null,
  ],
  ['BREAK is none', emphasised.replace('(red:1.3)', 'BREAK'), { weighting: 'none' }, { weighting: 'none' }, null],
  [
    'a mode that is not known',
    `${emphasised}, Emphasis: Strong`,
    { weighting: 'scale' },
    { weighting: 'scale' },
    'Its emphasis “Strong” is not known here.',
  ],
])('an infotext without the field, %s', (_, text, used, options, remark) => {
  const found = pasted(text, used);
  expect(found.options).toMatchObject(options);
  expect(found.summary).toBe(['prompt, negative prompt and 20 steps.', ...(remark ? [remark] : [])].join(' '));
});

test.each<[string, PromptOptions['timeline'], string?]>([
  ['1.5.2', 'before-1.6'],
  ['v1.5.2-3-g1a2b3c4', 'before-1.6'],
  ['v1.6.0-RC', 'before-1.6'],
  ['1.6.0rc1', 'before-1.6'],
  ['v1.6.0', 'since-1.6'],
  ['v1.6', 'since-1.6'],
  ['v1.6.0-2-g4afaaf8a', 'since-1.6'],
  ['v1.10.1', 'since-1.6'],
  ['2.0', 'since-1.6'],
  ['f0.0.17v1.8.0rc-latest-276-g29be1da7', 'since-1.6'],
  ['ComfyUI', 'since-1.6'],
  ['1.5.2', 'since-1.6', 'a red fox'],
])('schedules of Version: %s count as %s', (version, timeline, prompt = 'a [red:blue:1.5] fox') => {
  const found = pasted(`${prompt}\nSteps: 20, Sampler: DDIM, CFG scale: 7, Version: ${version}`, {
    timeline: 'before-1.6',
  });
  expect(found.options.timeline).toBe(timeline);
  expect(found.summary.includes('schedules as before A1111 1.6')).toBe(timeline === 'before-1.6');
});

test('the field of old timelines says so itself; without a version they are new', () => {
  const text = 'a fox\nSteps: 20, Sampler: DDIM, CFG scale: 7';
  expect(pasted(`${text}, Old prompt editing timelines: True`).options.timeline).toBe('before-1.6');
  expect(pasted(text, { timeline: 'before-1.6' }).options.timeline).toBe('since-1.6');
});

test('more steps and clip skip than can be are told', () => {
  const found = pasted('a\nSteps: 400, Clip skip: 99, CFG scale: 7');
  expect(found.options).toMatchObject({ steps: 150, clipSkip: 13 });
  expect(found.summary).toBe(
    'prompt, negative prompt, 400 steps (of which 150 are taken) and clip skip 99 (of which 13 is the most).',
  );
});

const fields = 'Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512';

test.each<[string, string, string, string]>([
  ['dots for line breaks (B59)', `a red fox,.Negative prompt: blurry.Steps: 24, ${fields}`, 'a red fox', 'blurry'],
  [
    'with commas in the negative prompt',
    `a red fox,.Negative prompt: blurry, bad.Steps: 24, ${fields}`,
    'a red fox',
    'blurry, bad',
  ],
  ['spaces', `a red fox Negative prompt: blurry Steps: 24, ${fields}`, 'a red fox', 'blurry'],
  ['after a heading', `Parameters      : a red fox...Negative prompt: .Steps: 24, ${fields}`, 'a red fox', ''],
  ['no negative prompt', `a red fox. Steps: 24, ${fields}`, 'a red fox', ''],
])('an infotext on one line, %s: nothing is emptied, and both readings are offered', (_, text, positive, negative) => {
  const infotext = parseInfotext(text)!;
  const [first, second] = readWritten({ program: 'a1111', infotext, remarks: [] }, defaultOptions);
  expect(first).toMatchObject({ reader: 'Civitai', prompts: { positive, negative }, options: { steps: 24 } });
  expect(second).toMatchObject({ reader: 'A1111', prompts: { positive: '', negative: '' } });
  expect(first.summary).toContain('Line breaks are missing in it');
});

test('a negative prompt within a line: A1111’s reading first, Civitai’s beside it', () => {
  const infotext = parseInfotext(`a red fox Negative prompt: blurry.\nSteps: 24, ${fields}`)!;
  const [first, second] = readWritten({ program: 'a1111', infotext, remarks: [] }, defaultOptions);
  expect(first).toMatchObject({
    reader: 'A1111',
    prompts: { positive: 'a red fox Negative prompt: blurry.', negative: '' },
  });
  expect(second).toMatchObject({ reader: 'Civitai', prompts: { positive: 'a red fox', negative: 'blurry.' } });
});

test.each([
  `a cat, Steps: 1 2 3\nNegative prompt: fog,\nSteps: 24, ${fields}, Hires steps: 15`,
  `a cat.\nSteps: 24, ${fields}`,
  `Negative prompt: fog.\nSteps: 24, ${fields}`,
])('an infotext whose lines are whole has one reading: %j', (text) => {
  expect(readWritten({ program: 'a1111', infotext: parseInfotext(text)!, remarks: [] }, defaultOptions)).toHaveLength(
    1,
  );
});

test.each([
  `x${', '.repeat(20_000)}Steps: 5`,
  `${'Negative prompt: '.repeat(4_000)}Steps: 5`,
  `${'Steps: '.repeat(9_000)}5`,
  `${'.'.repeat(60_000)}Negative prompt: ${'.'.repeat(60_000)}`,
])('a long line takes no longer than it should', (text) => void parseInfotext(text));

const text = async (contents: BlobPart, name = 'notes.txt') =>
  readTextPrompts(memorySource(new Uint8Array(await new Blob([contents]).arrayBuffer()), name));

test('a text file is an infotext, a graph or a prompt', async () => {
  expect(taken(await text(`${emphasised}, Emphasis: Ignore`)).options.weighting).toBe('none');
  expect(taken(await text(`\ufeff${emphasised}`)).prompts.positive).toBe('a (red:1.3) fox');
  expect(taken(await text(Uint8Array.from([0xff, 0xfe, ...utf16(emphasised, true)]))).prompts.negative).toBe('blurry');
  expect(taken(await text(json)).prompts).toEqual(both);
  const mere = taken(await text(' a red++ car\n{a|b}\n'), { syntax: 'compel', weighting: 'scale' });
  expect(mere).toMatchObject({
    prompts: { positive: 'a red++ car\n{a|b}' },
    options: { syntax: 'compel', weighting: 'scale' },
  });
  expect(mere.summary).toBe('prompt. The negative prompt stays.');
  expect(taken(await text('{"red"}')).prompts).toEqual({ positive: '{"red"}' });
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'a photograph',
    () => picture(exifJpeg(exifBlock({ first: [[0x010f, 2, utf8('Canon\0')]] })), 'p.jpg'),
    /^"p\.jpg" is a picture without generation data: .* in its EXIF and comments\.$/,
  ],
  [
    'a comment of another program',
    () => picture(jpeg([0xfe, utf8('Created with GIMP')])),
    /there is only “Created with GIMP”\.$/,
  ],
  [
    'JSON that is not known',
    () => picture(png(tEXt('parameters', '{"sui_image_params": {"prompt": "a cat"}}'))),
    /in its texts and EXIF, and an embedding in its pixels: there is only “{"sui_ima.*”\.$/,
  ],
  ['a graph cut off', () => picture(png(tEXt('prompt', json.slice(0, -9)))), /is a picture without generation data/],
  [
    'NovelAI’s texts without their JSON',
    () => picture(png(tEXt('Software', 'NovelAI'), tEXt('Comment', '[1'))),
    /without generation data/,
  ],
  [
    'a huge graph',
    () => picture(png(tEXt('prompt', `{"1": ${'['.repeat(3_000_000)}`))),
    /holds 3000006 characters of JSON/,
  ],
  ['a text of zeros', () => text(new Uint8Array(100)), /"notes\.txt" is no text in UTF-8 or UTF-16\.$/],
  ['a web page', () => text('<!doctype html><title>404</title>'), /is a web page: the download was answered with HTML/],
  ['an empty text', () => text(' \n'), /is an empty text\.$/],
  ['a text of 5 MB', () => text('a'.repeat(5 << 20)), /has 5242880 bytes/],
  [
    'a graph without a sampler',
    () => readGraphFile(memorySource(utf8('{"1": {"class_type": "LoadImage", "inputs": {}}}'), 'g.json')),
    /^"g\.json" holds ComfyUI's graph, in which no sampler/,
  ],
])('%s gives one sentence', async (_, open, message) => {
  await expect(open()).rejects.toThrow(NoPromptError);
  await expect(open()).rejects.toThrow(message);
});

test('JSON that is no graph is none', async () => {
  for (const other of [
    '{}',
    '{"clipscope": 1, "prompts": {"positive": "a"}}',
    '{"nodes": 1}',
    '{"prompt": {"prompt": {"prompt": 1}}}',
    '{',
  ])
    expect(await readGraphFile(memorySource(utf8(other)))).toBeNull();
});
