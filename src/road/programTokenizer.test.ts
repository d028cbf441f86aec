import { expect, test } from 'vitest';
import { sourceText } from '../prompt/sourceText.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { convertPrompt } from '../tokens/convertPrompt.ts';
import { ownFlavour, tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { defaultOptions, type PromptOptions, withOption } from './options.ts';
import { preparePrompt } from './pipeline.ts';
import { answer } from './study/answer.ts';
import { readPrograms } from './study/programs.ts';
import { tokenizer } from './testing/prompts.ts';

const typed = 'don’t “see” ﬁne ｆｕｌｌ &lt; 猫 schÃ¶n';

const idsOf = (prompt: string, options: PromptOptions) =>
  preparePrompt(prompt, options, tokenizer).chunks.flatMap(({ chunk }) => Array.from(chunk.inputIds));
const textIds = (prompt: string, options: PromptOptions) => {
  const ids = idsOf(prompt, options).slice(1);
  return ids.slice(0, ids.indexOf(49407));
};

test('B20: ComfyUI, options as they come, has no ftfy', () => {
  const ids = idsOf('a cat that don’t see “猫”', { ...defaultOptions, syntax: 'comfy' });
  const text = [320, 2368, 682, 847, 728, 503, 339, 862, 728, 506, 163, 234, 360, 728, 507];
  expect(ids).toEqual([49406, ...text, ...Array<number>(61).fill(49407)]);
});

test.each(syntaxes)('%s: the tokenizer is the program’s until another is chosen, which then stays', (syntax) => {
  const flavours: Readonly<Record<Syntax, string>> = { a1111: 'hf-slow-ftfy', compel: 'hf-v5', comfy: 'hf-slow' };
  expect(ownFlavour).toEqual(flavours);
  const own = withOption(defaultOptions, 'syntax', syntax);
  const idsBy = (flavour: (typeof tokenizerFlavours)[number]) =>
    tokenizer.tokenize(sourceText(typed), flavour).map(({ id }) => id);
  expect(textIds(typed, own)).toEqual(idsBy(ownFlavour[syntax]));
  for (const flavour of tokenizerFlavours) {
    const chosen = withOption(withOption(defaultOptions, 'tokenizer', flavour), 'syntax', syntax);
    expect(chosen.tokenizer).toBe(flavour);
    expect(textIds(typed, chosen)).toEqual(idsBy(flavour));
  }
});

test('programs side by side and the sentences about them have each its own tokenizer, whatever is chosen here', () => {
  for (const chosen of ['program', 'openai'] as const) {
    const options = { ...defaultOptions, tokenizer: chosen };
    const { readings } = readPrograms(typed, options, tokenizer);
    for (const syntax of syntaxes)
      expect(readings[syntax].tokens.map(({ id }) => id)).toEqual(
        textIds(typed, { ...defaultOptions, syntax, tokenizer: ownFlavour[syntax] }),
      );
  }
});

function programSentences(prompt: string, options: Partial<PromptOptions>): string[] {
  const all = { ...defaultOptions, ...options };
  const prepared = preparePrompt(prompt, all, tokenizer);
  return answer({
    ...{ prepared, options: all, tokenizer, side: 'positive', embeddings: [], embeds: null, model: null, layers: 12 },
    hindrance: '',
  }).flatMap(({ kind, text }) => (kind === 'programs' ? [text] : []));
}

test.each<[string, Partial<PromptOptions>, string[]]>([
  [
    'a “red” cat',
    {},
    [
      'Compel would make other tokens of ““” and “””: 2 more tokens.',
      'ComfyUI would make other tokens of ““” and “””: 2 more tokens.',
    ],
  ],
  [
    'I don’t',
    { syntax: 'comfy' },
    ['A1111 would make other tokens of “’t”: 2 tokens fewer.', 'Compel would read the same.'],
  ],
  ['I don’t', { tokenizer: 'hf-slow' }, ['Compel would read the same.', 'ComfyUI would read the same.']],
  ['a red cat', { tokenizer: 'hf-fast' }, ['Compel would read the same.', 'ComfyUI would read the same.']],
])('%s, %o: what the tokenizers of other programs make of it', (prompt, options, sentences) => {
  expect(programSentences(prompt, options)).toEqual(sentences);
});

test('a tokenizer that is not the program’s own is told where it makes other tokens', () => {
  const messages = (prompt: string, options: Partial<PromptOptions>) =>
    preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer).diagnostics;
  const code = 'other-tokenizer';
  const severity = 'info';
  const message = 'ComfyUI’s own tokenizer makes other tokens of this than the one chosen under Tokenizer.';
  const chosen = { syntax: 'comfy', tokenizer: 'hf-slow-ftfy' } as const;
  expect(messages('I (don’t:1.2) see “it”', chosen)).toEqual([{ code, severity, message, start: 6, end: 22 }]);
  expect(messages('a red cat, it’s <|EndOfText|>', { syntax: 'comfy', tokenizer: 'hf-slow' })).toEqual([]);
  expect(messages('“““', chosen)[0]).toMatchObject({ code, start: 0, end: 3 });
  expect(messages('a\x00a', { syntax: 'compel', tokenizer: 'hf-slow' })[0]).toMatchObject({ code, start: 0, end: 3 });
  expect(messages('a red cat', chosen)).toEqual([]);
  expect(messages('I don’t', { syntax: 'comfy' })).toEqual([]);
});

test('a converted prompt is compared with each program’s own tokenizer', () => {
  const convert = (choice: PromptOptions['tokenizer']) =>
    convertPrompt('I (don’t:1.2)', 'comfy', 'a1111', tokenizer, choice);
  expect(convert('hf-slow')).toMatchObject({ text: 'I (don’t:1.2)', isSame: true, lost: [] });
  const { text, isSame, lost } = convert('program');
  expect({ text, isSame }).toEqual({ text: 'I (don’t:1.2)', isSame: false });
  expect(lost).toEqual([
    { message: 'A1111’s tokenizer cleans these characters up otherwise than ComfyUI’s.', range: { start: 6, end: 8 } },
  ]);
});
