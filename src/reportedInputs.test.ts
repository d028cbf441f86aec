/**
 * All inputs from public bug reports of other programs on which this project was tried: what each is, the right answer, and the
 * tests that hold it, which are named by its number.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Reported {
  readonly input: string;
  readonly answer: string;
  /** Test files, below src. */
  readonly tests: readonly string[];
}

const prompts = 'prompt/reportedPrompts.test.ts';
const texts = 'tokens/reportedTexts.test.ts';
const files = 'files/reportedFiles.test.ts';
const checkpoints = 'models/reportedCheckpoints.test.ts';
const loras = 'models/reportedLoras.test.ts';
const embeddings = 'road/reportedEmbeddings.test.ts';
const conditionings = 'road/reportedConditionings.test.ts';
const written = 'road/writtenPrompts.test.ts';
const infotext = 'prompt/a1111/infotext.test.ts';

const rows: readonly (readonly [id: string, input: string, answer: string, tests: readonly string[]])[] = [
  ['B01', 'ComfyUI: embedding:easyneg,blurry', 'all of it is dropped', [embeddings]],
  [
    'B02',
    'ComfyUI: a weight of 666 in nested brackets',
    'the number replaces the brackets around it',
    [prompts, conditionings],
  ],
  ['B03', 'ComfyUI: escaped brackets, with one backslash and three', 'only \\( and \\) are escapes', [prompts, texts]],
  ['B04', 'A1111: a schedule at 1.0 and at 1', '1.0 never comes, 1 is after the first step', [prompts]],
  ['B06', 'A1111: networks with brackets in their names', 'taken out before brackets are read', [prompts]],
  ['B07', 'Compel: a word with signs after a comma', 'only the word is weighted', [prompts]],
  ['B08', 'Compel: open brackets, up to 5,000', 'text of weight 1', [prompts]],
  ['B09', 'Compel: text after a blend', 'an error that is told', [prompts]],
  ['B10', 'A1111: a number after the last colon', 'guidance, of the positive prompt alone', [prompts]],
  ['B11', 'A1111: a schedule with an escaped colon', 'from step 2 on; square brackets weigh', [prompts]],
  [
    'B12',
    'ComfyUI: comments, choices and escaped braces',
    'what the page sends to the server',
    ['road/comfyPage.test.ts'],
  ],
  ['B13', 'A1111: one LoRA named twice', 'twice the last multiplier', [prompts, conditionings]],
  ['B14', 'A1111: text:1.4 on both sides', 'a weight of the positive prompt alone', [prompts]],
  ['B15', 'A1111: a LoRA with a number that is none', 'no LoRA of the prompt is loaded', [prompts]],
  ['B16', 'every word of the vocabulary', 'itself, but for capitals and what is no text', [texts]],
  [
    'B17',
    'all bytes of the vocabulary as one text',
    'mojibake is repaired as ftfy does it',
    ['tokens/tokenizer.test.ts'],
  ],
  ['B18', 'contractions', 'one token each, in every tokenizer', [texts]],
  ['B20', 'ComfyUI: curly quotation marks', 'the tokenizer without ftfy', ['road/programTokenizer.test.ts']],
  ['B21', 'digits and letters with and without spaces', 'the same ids', [texts]],
  ['B22', '! !! !!!', '256 748 995', [texts]],
  ['B23', 'ComfyUI: a prompt of 102 tokens', 'two batches', [texts]],
  ['B24', 'Compel: exclamation marks by all ways of splitting', 'chunks of whole words', [texts]],
  [
    'B25',
    'an embedding at the end of a chunk',
    'whole to the next chunk; ComfyUI parts long ones',
    [embeddings, texts],
  ],
  ['B26', 'A1111: two embeddings whose names begin alike', 'the longer', [embeddings]],
  ['B27', 'A1111: many commas', 'chunks end at the last of them', [texts]],
  ['B28', 'A1111: an embedding of 76 vectors', 'an error of the encoder, which is told', [embeddings]],
  ['B29', 'ComfyUI: an embedding with its ending and folder', 'found', [embeddings]],
  ['B30', 'Compel: a weight of 0', 'finite', [conditionings]],
  ['B31', 'A1111: a weighted negative prompt', 'the mean of the unweighted one', [prompts, conditionings]],
  ['B32', 'A1111: negative weights, and numbers in square brackets', '−1.1; schedules', [prompts, conditionings]],
  ['B33', 'Compel: weights of a blend whose sum is 0', 'told at the blend', [prompts, 'cli/encode.test.ts']],
  ['B34', 'LoRAs trained on transformers 5', 'four updates', [loras]],
  ['B35', 'alpha in the metadata', 'scale 2', [loras]],
  ['B37', 'the encoder under seven prefixes', 'opened', [checkpoints]],
  ['B39', 'a tensor of F4 beside the encoder', 'opened', [checkpoints]],
  ['B40', 'weights and LoRAs of F8_E4M3', 'decoded exactly', [checkpoints, loras]],
  ['B41', 'bytes after the last tensor', 'told, and passed over on request', [checkpoints]],
  ['B43', 'position ids that are missing, I64, F16', 'opened', [checkpoints]],
  ['B44', 'DoRA and IA³', 'applied', [loras]],
  ['B45', 'pivotal tuning, and a list', 'the vectors of this encoder’s width', [embeddings]],
  ['B46', 'a LoRA by its alias', 'found', [loras]],
  ['B47', 'a picture’s embedding whose file was renamed', 'called by the name inside it', [embeddings]],
  ['B48', 'an embedding in a picture’s pixels', 'eight vectors', [embeddings]],
  ['B49', 'four headers of safetensors', 'one is loaded, three are told', [files]],
  ['B50', 'infotext in EXIF of JPEG and WebP, in a GIF', 'read', [written, 'state/openedActions.test.ts']],
  ['B52', 'a compressed PNG text', 'read as UTF-8', ['files/pictureTexts.test.ts', written]],
  ['B53', 'a picture of NovelAI', 'its prompts', [written]],
  ['B54', 'a picture of ComfyUI', 'the texts behind the sampler', [written, 'state/openedActions.test.ts']],
  ['B55', 'infotext with quoted lists and an empty field', 'two lines of each prompt', [infotext]],
  ['B56', 'infotext with an emphasis mode', 'the mode', [written]],
  ['B58', 'old infotext with a raw line feed', 'as A1111 reads it', [infotext]],
  [
    'B59',
    'infotext on one line',
    'as A1111 reads it, and the other reading offered',
    [written, 'state/workActions.test.ts'],
  ],
  ['B60', 'Compel: .swap in a quoted part of a blend', 'told', [prompts]],
];
const reported: ReadonlyMap<string, Reported> = new Map(
  rows.map(([id, input, answer, tests]) => [id, { input, answer, tests }]),
);

/** Numbers in a test file, but for its comments. */
function idsIn(file: string): Set<string> {
  const code = readFileSync(`src/${file}`, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return new Set(code.match(/\bB\d\d\b/g));
}

test.each([...reported])('%s is held by tests of its number', (id, { input, answer, tests }) => {
  expect(input).not.toBe('');
  expect(answer).not.toBe('');
  expect(tests.length).toBeGreaterThan(0);
  for (const file of tests) expect([...idsIn(file)], file).toContain(id);
});

test('every number in a test has its row', () => {
  expect(reported.size).toBe(53);
  const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && file !== 'reportedInputs.test.ts')
    .flatMap((file) => [...idsIn(file)]);
  expect([...new Set(found)].sort()).toEqual([...reported.keys()]);
});
