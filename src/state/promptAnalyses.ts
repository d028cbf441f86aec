/** The analyses of the chunk on show, each with the name of all that it is of. */
import { type Ablations, ablations } from '../analyses/ablation.ts';
import type { HeadAblation } from '../analyses/analysisEncoder.ts';
import { type EndedPass, eosTurns, type TextVariant, textVariants } from '../analyses/bagOfWords.ts';
import { type ConditioningShares, conditioningShares } from '../analyses/conditioningShares.ts';
import { type LayerTravel, layerTravel } from '../analyses/layerTravel.ts';
import { leakage, leakagePasses, type TakenContext } from '../analyses/leakage.ts';
import { type PromptItem, promptItems } from '../analyses/promptItems.ts';
import { type Sinks, sinks } from '../analyses/sinks.ts';
import { type WordEffect, wordEffects, wordPasses } from '../analyses/wordEffects.ts';
import type { ClipTextConfig } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import { clipSkipState } from '../road/clipSkip.ts';
import { plainChunk } from '../road/methodPrompt.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedChunk, PreparedPrompt } from '../road/preparedPrompt.ts';
import { isUnknown } from '../road/study/knownWords.ts';
import type { PromptToken } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { ModelInfo } from '../worker/messages.ts';
import { type Analysis, analysisContext } from './analysing.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { outputsOf } from './passPlan.ts';
import { prepared, shownChunk } from './reading.ts';
import { shownClipSkip } from './shownSizes.ts';
import { tokenizerOf, tokenLabels } from './tokenLabels.ts';

/** The chunk on show as analyses take it. */
export interface AnalysisSubject {
  readonly pass: EncoderPass;
  readonly empty: EncoderPass;
  readonly tokens: readonly PromptToken[];
  /** [L] */
  readonly labels: readonly string[];
  readonly items: readonly PromptItem[];
  /** The row of EOS. */
  readonly eos: number;
  /** The text that the chunk is part of, without brackets and weights. */
  readonly plainText: string;
  readonly model: ModelInfo;
  readonly config: ClipTextConfig;
  readonly clipSkip: number;
  /** Names all that the results depend on: model's LoRAs, clip skip and pass. */
  readonly key: string;
}

const subjectOf = memoised(
  (
    shown: PreparedPrompt,
    { chunk, pass, text }: PreparedChunk,
    tokenizer: Tokenizer,
    model: ModelInfo,
    context: string,
    clipSkip: number,
  ): AnalysisSubject => {
    const { weighted, fragments } = shown.texts[text];
    return {
      ...{ pass, model, clipSkip },
      empty: weighted.empty,
      tokens: chunk.tokens,
      labels: tokenLabels(chunk.tokens, tokenizer),
      items: promptItems(chunk.tokens, shown.source),
      eos: chunk.tokens.findIndex(({ kind }) => kind === 'eos'),
      plainText: fragments.map((fragment) => fragment.text).join(''),
      config: model.config,
      key: `${context}|${passKey(pass)}`,
    };
  },
);

/** The chunk on show, once it is encoded; undefined before, so that no analysis keeps it waiting. */
export function analysisSubject(facts: Facts): AnalysisSubject | undefined {
  const shown = prepared(facts, facts.side);
  const chunk = shownChunk(facts);
  const { model, lost } = facts;
  const tokenizer = tokenizerOf(facts);
  if (!shown || !chunk || !model || lost || !tokenizer) return undefined;
  if (!outputsOf(facts).get(passKey(chunk.pass))?.output.attentions) return undefined;
  return subjectOf(shown, chunk, tokenizer, model, analysisContext(facts), shownClipSkip(facts));
}

const itemsKey = ({ items }: AnalysisSubject) => items.map(({ rows }) => rows.join('+')).join(' ');

export function sharesAnalysis({ key, pass, empty, tokens }: AnalysisSubject): Analysis<ConditioningShares> {
  return {
    key: `shares|${key}|${passKey(empty)}`,
    passes: 1,
    async run(encoder) {
      const [z, none] = await encoder.rows([pass, empty]);
      return conditioningShares(
        z,
        none,
        tokens.map(({ kind }) => kind),
      );
    },
  };
}

export function wordsAnalysis(subject: AnalysisSubject): Analysis<readonly WordEffect[]> {
  return {
    key: `words|${subject.key}|${itemsKey(subject)}`,
    passes: wordPasses(subject).length - 1,
    run: (encoder) => wordEffects(subject, encoder),
  };
}

export function leakageAnalysis(subject: AnalysisSubject): Analysis<readonly TakenContext[]> {
  return {
    key: `leakage|${subject.key}|${itemsKey(subject)}`,
    passes: leakagePasses(subject).length - 1,
    run: (encoder) => leakage(subject, encoder),
  };
}

/** A variant of the text, and how far its EOS row turns away from the text's own, by state up to the one that is read. */
export interface VariantTurns extends TextVariant {
  readonly turns: Float64Array;
  /** Whether it has a word that the model has no row for. */
  readonly hasUnknown: boolean;
}

/** A text as it stands, with the row of its EOS; what is past the first chunk is left out. */
function endedText(text: string, options: PromptOptions, tokenizer: Tokenizer) {
  const { chunk, pass } = plainChunk(text, options, tokenizer);
  return { pass, tokens: chunk.tokens, eos: chunk.tokens.findIndex(({ kind }) => kind === 'eos') };
}

export function variantsAnalysis(
  subject: AnalysisSubject,
  options: PromptOptions,
  tokenizer: Tokenizer,
): Analysis<readonly VariantTurns[]> {
  const read = clipSkipState(subject.clipSkip, subject.config);
  const own = endedText(subject.plainText, options, tokenizer);
  const variants = [...textVariants(subject.plainText), { name: 'The empty prompt', text: '' }];
  const others = variants.map(({ text }) => endedText(text, options, tokenizer));
  return {
    key: `variants|${analysisKey(subject)}|${[own, ...others].map(({ pass }) => passKey(pass)).join(' ')}`,
    passes: others.length + 1,
    async run(encoder) {
      const turns = await eosTurns(own, others satisfies readonly EndedPass[], read, encoder);
      return variants.map((variant, i) => ({
        ...variant,
        turns: turns[i],
        hasUnknown: others[i].tokens.some((token) => isUnknown(token, subject.model.knownIds)),
      }));
    },
  };
}

const analysisKey = ({ key }: AnalysisSubject) => key.slice(0, key.indexOf('|'));

export function layersAnalysis(subject: AnalysisSubject): Analysis<LayerTravel> {
  const read = clipSkipState(subject.clipSkip, subject.config);
  return {
    key: `layers|${subject.key}`,
    passes: Math.ceil(read / 4),
    // The states, and the tensors of each layer.
    steps: read + 1,
    run: (encoder) => layerTravel(subject.pass, read, encoder),
  };
}

/** The rows that the sinks are measured over: the words and EOS. */
export const sinkRows = ({ eos }: AnalysisSubject): number[] => Array.from({ length: eos }, (_, i) => i + 1);

export function sinksAnalysis(subject: AnalysisSubject): Analysis<Sinks> {
  const read = clipSkipState(subject.clipSkip, subject.config);
  return {
    key: `sinks|${subject.key}`,
    passes: Math.ceil(read / 2),
    steps: read,
    run: (encoder) => sinks(subject.pass, sinkRows(subject), read, encoder),
  };
}

/** Effects of the MLPs, which are the same whichever way heads are switched off. */
const knownMlps = new WeakMap<AnalysisSubject, Ablations['mlps']>();

export function ablationAnalysis(subject: AnalysisSubject, way: HeadAblation): Analysis<Ablations> {
  const { numHiddenLayers: N, numAttentionHeads: h } = subject.config;
  const read = clipSkipState(subject.clipSkip, subject.config);
  const mlps = knownMlps.get(subject);
  const parts = mlps ? h : h + 1;
  return {
    key: `ablation|${way}|${subject.key}`,
    passes: Math.ceil((read * (read + 1) * parts) / (2 * N)),
    // A layer takes one for its tensors, and one without each part.
    steps: read * (1 + parts),
    async run(encoder) {
      const found = await ablations(subject.pass, way, read, encoder, mlps);
      knownMlps.set(subject, found.mlps);
      return found;
    },
  };
}
