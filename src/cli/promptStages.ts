/** The stages that a prompt goes through on the page, each to be timed by itself. */
import { readA1111Prompt, stepA1111Prompt } from '../prompt/a1111/a1111Prompt.ts';
import { parseInfotext } from '../prompt/a1111/infotext.ts';
import { lintA1111, lintComfy, lintCompel } from '../prompt/across/lint.ts';
import { readingDifferences } from '../prompt/across/readings.ts';
import type { Fragment } from '../prompt/ast.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { moveItem } from '../prompt/editing/moveItem.ts';
import { changeWeight } from '../prompt/editing/weightKeys.ts';
import { parsePrompt } from '../prompt/parsePrompt.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { pageChooser } from '../road/comfyRoad.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { readPrograms } from '../road/study/programs.ts';
import { chunkSentences, mistakeSentences } from '../road/study/readingSentences.ts';
import { chunkA1111 } from '../tokens/chunks/a1111Chunks.ts';
import { chunkComfy, comfyUnits } from '../tokens/chunks/comfyChunks.ts';
import { chunkCompel, splitModes } from '../tokens/chunks/compelChunks.ts';
import { convertPrompt } from '../tokens/convertPrompt.ts';
import type { PromptEmbedding } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { bracketsBeside, syntaxMarks } from '../views/prompts/editor/syntaxMarks.ts';
import { chunkAtCaret, tokenAtCaret, tokenRanges } from '../views/prompts/editor/tokenRanges.ts';
import { stretches } from '../views/prompts/stretches.ts';
import { ownMethod } from '../weighting/methods.ts';

export interface Stage {
  readonly name: string;
  /** Reads as much of a prompt as the stage needs, and gives the stage itself, to be timed. */
  prepare(prompt: string): () => unknown;
}

const chooser = pageChooser(defaultOptions, 'positive');
const vector = new Float32Array(768);
const embeddings: readonly PromptEmbedding[] = [
  { name: 'a', file: 'a.pt', vectors: [vector, new Float32Array(768)] },
  { name: 'a, b', file: 'a, b.pt', vectors: [new Float32Array(768)] },
  {
    name: 'easyneg',
    file: 'easyneg.safetensors',
    vectors: [new Float32Array(768), new Float32Array(768), new Float32Array(768)],
  },
];

function fragmentsOf(prompt: string, syntax: Syntax): readonly Fragment[] {
  if (syntax !== 'a1111') return parsePrompt(prompt, syntax).fragments;
  const { parts } = stepA1111Prompt(readA1111Prompt(prompt, { role: 'positive' }), { steps: 20 });
  return parts.flatMap(({ steps }) => steps[0].parsed.fragments);
}

function optionsFor(syntax: Syntax): PromptOptions {
  return { ...defaultOptions, syntax, weighting: ownMethod[syntax], split: 'WORDS' };
}

function parserStages(syntax: Syntax): Stage[] {
  if (syntax === 'compel')
    return [
      { name: 'parser', prepare: (prompt) => () => parseCompel(prompt) },
      {
        name: 'linter',
        prepare: (prompt) => {
          const parsed = parseCompel(prompt);
          return () => lintCompel(parsed);
        },
      },
    ];
  if (syntax === 'comfy')
    return [
      { name: 'parser', prepare: (prompt) => () => parsePrompt(prompt, 'comfy', chooser) },
      {
        name: 'linter',
        prepare: (prompt) => {
          const parsed = parseComfy(prompt);
          return () => lintComfy(parsed, false);
        },
      },
    ];
  return [
    { name: 'parser', prepare: (prompt) => () => readA1111Prompt(prompt, { role: 'positive' }) },
    {
      name: 'schedule',
      prepare: (prompt) => {
        const read = readA1111Prompt(prompt, { role: 'positive' });
        return () => stepA1111Prompt(read, { steps: 20 });
      },
    },
    {
      name: 'linter',
      prepare: (prompt) => {
        const read = readA1111Prompt(prompt, { role: 'positive' });
        const stepped = stepA1111Prompt(read, { steps: 1 });
        return () => lintA1111(read, stepped);
      },
    },
  ];
}

function chunkStages(syntax: Syntax, tokenizer: Tokenizer): Stage[] {
  const stage = (name: string, chunk: (fragments: readonly Fragment[]) => unknown): Stage => ({
    name: `chunks ${name}`,
    prepare: (prompt) => {
      const fragments = fragmentsOf(prompt, syntax);
      return () => chunk(fragments);
    },
  });
  if (syntax === 'a1111')
    return [0, 20, 74].map((commaPaddingBacktrack) =>
      stage(String(commaPaddingBacktrack), (fragments) =>
        chunkA1111(fragments, tokenizer, embeddings, { commaPaddingBacktrack }),
      ),
    );
  if (syntax === 'compel')
    return [
      stage('cut', (fragments) => chunkCompel(fragments, tokenizer, embeddings)),
      ...splitModes.map((split) =>
        stage(split, (fragments) => chunkCompel(fragments, tokenizer, embeddings, { truncate: false, split })),
      ),
    ];
  return comfyUnits.map((unit) => stage(unit, (fragments) => chunkComfy(fragments, tokenizer, embeddings, { unit })));
}

function editorStages(syntax: Syntax, tokenizer: Tokenizer): Stage[] {
  const prepared = (prompt: string) => preparePrompt(prompt, optionsFor(syntax), tokenizer);
  const keys = (name: string, press: (parsed: ReturnType<typeof parsePrompt>) => unknown): Stage => ({
    name,
    prepare: (prompt) => {
      const parsed = parsePrompt(prompt, syntax, chooser);
      return () => press(parsed);
    },
  });
  const selections = ({ source: { length } }: { source: string }) => {
    // The caret is within what is repeated, whatever the length: how much is to be done depends on the place.
    const inside = (length >> 1) + 1;
    return [
      { start: inside, end: inside },
      { start: 0, end: length },
      { start: length, end: length },
    ];
  };
  return [
    {
      name: 'editor marks',
      prepare: (prompt) => {
        const { texts, nodes, chunks } = prepared(prompt);
        const middle = prompt.length >> 1;
        return () => [
          tokenRanges(texts),
          syntaxMarks(nodes, middle, middle + 2000),
          bracketsBeside(nodes, middle),
          chunkAtCaret(texts, middle),
          tokenAtCaret(texts, middle),
          chunks,
          texts.map(({ steps }) => stretches(steps, 20)),
        ];
      },
    },
    keys('weight keys', (parsed) => selections(parsed).map((range) => changeWeight(parsed, range, 0.1, syntax))),
    keys('moving items', (parsed) =>
      selections(parsed).flatMap((range) => [moveItem(parsed, range, -1, syntax), moveItem(parsed, range, 1, syntax)]),
    ),
  ];
}

function studyStages(syntax: Syntax, tokenizer: Tokenizer): Stage[] {
  const options = optionsFor(syntax);
  return [
    {
      name: 'sentences',
      prepare: (prompt) => {
        const prepared = preparePrompt(prompt, options, tokenizer);
        return () => [chunkSentences(prepared, options), mistakeSentences(prepared)];
      },
    },
    { name: 'programs', prepare: (prompt) => () => readPrograms(prompt, options, tokenizer, 'positive', embeddings) },
    {
      name: 'readings',
      prepare: (prompt) => {
        const all = syntaxes.map((other) => fragmentsOf(prompt, other));
        const here = fragmentsOf(prompt, syntax);
        return () => all.map((there) => readingDifferences(prompt, here, there));
      },
    },
  ];
}

/** The stages of one language, in the order of the road, the whole road first. */
export function promptStages(syntax: Syntax, tokenizer: Tokenizer): Stage[] {
  return [
    {
      name: 'road',
      prepare: (prompt) => () => preparePrompt(prompt, optionsFor(syntax), tokenizer, 'positive', embeddings),
    },
    ...parserStages(syntax),
    ...chunkStages(syntax, tokenizer),
    ...syntaxes
      .filter((other) => other !== syntax)
      .map(
        (other): Stage => ({
          name: `to ${other}`,
          prepare: (prompt) => () => convertPrompt(prompt, syntax, other, tokenizer, undefined, 'positive', embeddings),
        }),
      ),
    ...editorStages(syntax, tokenizer),
    ...studyStages(syntax, tokenizer),
  ];
}

/** The stages that no language is needed for. */
export function textStages(tokenizer: Tokenizer): Stage[] {
  return [
    ...tokenizerFlavours.map(
      (flavour): Stage => ({
        name: `tokenizer ${flavour}`,
        prepare: (prompt) => {
          const source = sourceText(prompt);
          return () => tokenizer.tokenize(source, flavour);
        },
      }),
    ),
    { name: 'infotext', prepare: (prompt) => () => parseInfotext(prompt) },
  ];
}
